package publish_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/pipelinetest"
)

func newForm(change func(*event.Settings)) *event.Form {
	s := event.DefaultSettings()
	change(&s)
	return event.NewForm(s)
}

// The event has the form of its source. A batch that names no source is of the default source; a source that the configuration
// does not have gets the form for others.
func TestEachSourceHasItsForm(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRigOf(t, output, 1, 1, "", rigSettings{form: newForm(func(s *event.Settings) { s.Type = "other" }), forms: map[string]*event.Form{
		inflight.DefaultSource: newForm(func(*event.Settings) {}),
		"github":               newForm(func(s *event.Settings) { s.Type, s.Target = "github", "payload" }),
	}})
	for source, want := range map[string][2]string{"": {"rtbeat", "rxtxMsg"}, "in": {"rtbeat", "rxtxMsg"}, "github": {"github", "payload"}, "gone": {"other", "rxtxMsg"}} {
		r.origin.Source = source
		token := r.publish(`{"a":1}`)
		window := output.Next()
		fields := window.Events()[0].Content.Fields
		require.Equal(t, want[0], fields["type"])
		require.Contains(t, fields, want[1])
		window.ACK()
		r.requireDelivered(token, inflight.Progress{Messages: 1, Acked: 1})
	}
	r.requireEmpty()
}
