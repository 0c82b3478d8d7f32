package event_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/inflight"
)

func invalid(raw string) batch.Message {
	return batch.Message{Fields: map[string]any{}, Raw: []byte(raw), Failure: &batch.Error{Reason: batch.MalformedJSON, Offset: 9, Index: 1, Line: 2, Msg: "invalid UTF-8"}}
}

// A message that is not valid has its fields at the root whatever the target is, and the other fields of its source.
func TestTheEventOfAnInvalidMessage(t *testing.T) {
	const want = `{"clientIp":"192.0.2.7","error":{"message":"byte 9, line 2, message 1: invalid UTF-8","type":"malformed_json"},` +
		`"event":{"original":"{\"a\":\"�\"}\u0000"},"sender":"alice","tags":["hook","_jsonparsefailure"],"type":"webhook"}`
	for _, target := range []string{"rxtxMsg", "", "event.data"} {
		s := event.Settings{Type: "webhook", Target: target, Tags: []string{"hook"}, Timestamp: event.Timestamp{Field: "t"}}
		form := event.NewForm(s)
		m := invalid("{\"a\":\"\xff\xfe\"}\x00")
		at, ok := form.Time(m, received)
		require.True(t, ok, "it has no time that could be read")
		require.Equal(t, received, at)
		got, err := json.Marshal(form.Fields(m, inflight.Origin{ClientIP: "192.0.2.7", Sender: "alice"}))
		require.NoError(t, err)
		require.JSONEq(t, want, string(got))
		require.Equal(t, 192, form.Weight(m, inflight.Origin{})-form.Weight(batch.Message{}, inflight.Origin{})+map[bool]int{true: 64}[target == ""])
	}
	require.Equal(t, mapstr.M{"original": ""}, event.NewForm(event.DefaultSettings()).Fields(invalid(""), inflight.Origin{})["event"])
}

// The original is bounded, and valid UTF-8, with no character cut in two.
func TestTheOriginalIsBounded(t *testing.T) {
	form := event.NewForm(event.DefaultSettings())
	for name, tt := range map[string]struct{ raw, want string }{
		"whole":             {strings.Repeat("x", 32<<10), strings.Repeat("x", 32<<10)},
		"longer":            {strings.Repeat("x", 32<<10+1), strings.Repeat("x", 32<<10)},
		"a cut character":   {"x" + strings.Repeat("é", 32<<10), "x" + strings.Repeat("é", 16<<10-1)},
		"a longer one":      {"xx" + strings.Repeat("😀", 32<<10), "xx" + strings.Repeat("😀", 8<<10-1)},
		"invalid":           {strings.Repeat("x\xff", 16<<10), strings.Repeat("x\uFFFD", 8<<10)},
		"all invalid":       {strings.Repeat("\xff", 32<<10), "\uFFFD"},
		"continuation only": {strings.Repeat("\x80", 64<<10), "\uFFFD"},
	} {
		t.Run(name, func(t *testing.T) {
			m := invalid(tt.raw)
			m.Detach()
			got := form.Fields(m, inflight.Origin{})["event"].(mapstr.M)["original"].(string)
			require.True(t, utf8.ValidString(got))
			require.Equal(t, tt.want, got)
		})
	}
}
