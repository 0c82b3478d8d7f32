package outputs

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/outputs/outest"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/mapstr"
)

// bulk is an output that sends many events at once, as Elasticsearch's does: it refuses some, and is busy with others.
type bulk struct {
	outputs.Client
	observer      outputs.Observer
	refuses, busy func(n int) bool // n is the number of the event
	requests      int
}

var errBusy = errors.New("busy")

func (b *bulk) Publish(_ context.Context, batch publisher.Batch) error {
	b.requests++
	var kept []publisher.Event
	refused := 0
	for _, event := range batch.Events() {
		switch n := event.Content.Fields["n"].(int); {
		case b.busy(n):
			kept = append(kept, event)
		case b.refuses(n):
			refused++
		}
	}
	b.observer.PermanentErrors(refused)
	if len(kept) > 0 {
		batch.RetryEvents(kept)
		return errBusy
	}
	batch.ACK()
	return nil
}

// publish sends events through a wrapper around b, again and again until all are done, and returns the numbers of those that
// were given up.
func publish(t *testing.T, b *bulk, sent []beat.Event) (givenUp []int) {
	t.Helper()
	o := &observer{Observer: outputs.NewNilObserver()}
	b.observer = o
	wrapper := newTogether(b, o, beat.Info{Logger: logp.NewNopLogger()}, nil, hasID)
	for left := sent; len(left) > 0; {
		require.Less(t, b.requests, 10_000, "there is an end")
		batch := outest.NewBatch(left...)
		_ = wrapper.Publish(t.Context(), batch)
		require.Len(t, batch.Signals, 1)
		left = nil
		if signal := batch.Signals[0]; signal.Tag == outest.BatchRetryEvents {
			for _, event := range signal.Events {
				left = append(left, event.Content)
			}
		} else {
			require.Equal(t, outest.BatchACK, signal.Tag)
		}
	}
	for i, event := range sent {
		if m, ok := event.Private.(*mark); ok && m.rejected.Load() {
			givenUp = append(givenUp, i)
		}
	}
	return givenUp
}

// documents are events with an id each.
func documents(n int) []beat.Event {
	documents := events(n, 1)
	for i := range documents {
		documents[i].Fields["n"] = i
		documents[i].Meta = mapstr.M{"_id": string(rune('a' + i))}
	}
	return documents
}

func never(int) bool { return false }

func TestHalvesFindWhatWasRefused(t *testing.T) {
	t.Parallel()
	for name, refuses := range map[string]func(int) bool{
		"none":   never,
		"one":    func(n int) bool { return n == 11 },
		"some":   func(n int) bool { return n%7 == 3 },
		"others": func(n int) bool { return n%7 != 3 },
		"all":    func(int) bool { return true },
	} {
		var want []int
		for n := range 64 {
			if refuses(n) {
				want = append(want, n)
			}
		}
		b := &bulk{refuses: refuses, busy: never}
		require.Equal(t, want, publish(t, b, documents(64)), name)
		require.LessOrEqual(t, b.requests, 2*64, name)
	}
}

// A store that is busy is left alone, and not asked once for each half: libbeat waits after each error, for a minute in the
// end, and nobody else is served meanwhile.
func TestHalvesEndAtTheFirstError(t *testing.T) {
	t.Parallel()
	b := &bulk{refuses: func(n int) bool { return n%7 == 3 }}
	b.busy = func(n int) bool { return b.requests > 1 && n%4 == 1 }
	o := &observer{Observer: outputs.NewNilObserver()}
	b.observer = o
	wrapper := newTogether(b, o, beat.Info{Logger: logp.NewNopLogger()}, nil, hasID)
	sent := documents(64)
	batch := outest.NewBatch(sent...)
	require.NoError(t, wrapper.Publish(t.Context(), batch), "that of the first request")
	require.LessOrEqual(t, b.requests, 2, "the request, and one half")
	require.Equal(t, outest.BatchRetryEvents, batch.Signals[0].Tag)
	require.Len(t, batch.Signals[0].Events, 64)

	b.busy = never
	require.Len(t, publish(t, b, sent), 9, "found out later")
}

// Nobody waits for events of durable mode.
func TestNoHalvesWhereNobodyWaits(t *testing.T) {
	t.Parallel()
	sent := documents(64)
	for i := range sent {
		sent[i].Private = nil
	}
	b := &bulk{refuses: func(n int) bool { return n == 11 }, busy: never}
	require.Empty(t, publish(t, b, sent))
	require.Equal(t, 1, b.requests)
}
