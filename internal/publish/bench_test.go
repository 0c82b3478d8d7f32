package publish

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/dedupe"
	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/inflight"
)

// BenchmarkNewEvent makes the event of a message.
func BenchmarkNewEvent(b *testing.B) { benchmarkNewEvent(b, inflight.Trace{}) }

// BenchmarkNewEventOfATrace measures an event with a trace.
func BenchmarkNewEventOfATrace(b *testing.B) {
	benchmarkNewEvent(b, inflight.Trace{ID: "4bf92f3577b34da6a3ce929d0e0e4736", SpanID: "00f067aa0ba902b7"})
}

func benchmarkNewEvent(b *testing.B, trace inflight.Trace) {
	b.Helper()
	p := &Publisher{settings: Settings{DocumentID: inflight.ContentID, Form: event.NewForm(event.DefaultSettings())}}
	m := batch.Message{Fields: map[string]any{"a": 1}, ID: "00000000-0000-4000-8000-000000000000", Key: batch.Key{1}}
	registry := inflight.NewRegistry(inflight.Settings{Dedupe: dedupe.Settings{Enabled: true}, DocumentID: inflight.ContentID})
	reservation, err := inflight.NewAdmission(1).Open(0)
	require.NoError(b, err)
	token, err := registry.Claim([]batch.Message{m}, inflight.Origin{}, reservation)
	require.NoError(b, err)
	_, e, _ := token.Next()
	o := inflight.Origin{Received: time.Now(), ClientIP: "192.0.2.7", Trace: trace}
	b.ReportAllocs()
	for b.Loop() {
		p.newEvent(p.settings.Form, m, o, e)
	}
}
