package durable

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/mapstr"
)

// made is a processor that makes any event this one.
type made struct{ event *beat.Event }

func (made) String() string                         { return "made" }
func (m made) Run(*beat.Event) (*beat.Event, error) { return m.event, nil }

func fit(event *beat.Event, largest uint64) (*beat.Event, error) {
	return (&fitter{inner: made{event}, largest: largest, log: logp.NewNopLogger()}).Run(&beat.Event{})
}

func TestFittingKeepsTheEvent(t *testing.T) {
	event := &beat.Event{Fields: mapstr.M{"a": mapstr.M{"n": int64(-200)}, "b": "c"}, Meta: mapstr.M{"n": int64(-200)}, Private: "token"}
	fitted, err := fit(event, 1000)
	require.NoError(t, err)
	require.Equal(t, &beat.Event{
		Fields: mapstr.M{"a": map[string]any{"n": float64(-200)}, "b": "c"}, Meta: mapstr.M{"n": float64(-200)}, Private: "token",
	}, fitted)

	fitted, err = fit(&beat.Event{Fields: mapstr.M{"a": 1}}, 1000)
	require.NoError(t, err)
	require.Nil(t, fitted.Meta)
	dropped, err := fit(nil, 1000)
	require.NoError(t, err)
	require.Nil(t, dropped, "what a processor drops stays dropped")
}

func TestFittingRefuses(t *testing.T) {
	for want, event := range map[string]*beat.Event{
		"an object has an empty key (on level 2): the disk queue cannot carry that": {Fields: mapstr.M{"a": mapstr.M{"": 1}}},
		"an object has an empty key (on level 1): the disk queue cannot carry that": {Meta: mapstr.M{"": 1}},
		"an event of 1.1 KiB is larger than a segment of the disk queue, 1000 B":    {Fields: mapstr.M{"a": strings.Repeat("x", 1000)}},
	} {
		require.PanicsWithError(t, want, func() { _, _ = fit(event, 1000) })
	}
}
