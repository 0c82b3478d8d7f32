package inflight_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/txn2/rtbeat/internal/dedupe"
	"github.com/txn2/rtbeat/internal/inflight"
)

// run compares a registry with the model, over the same steps.
type run struct {
	*rapid.T
	rig    *rig
	model  *model
	tokens map[*modelBatch]*inflight.BatchAck
	acks   map[*modelEvent]*inflight.EventAck
	stored []*storedBatch
}

// storedBatch is on the disk. The shipper claims it until it is delivered, and never withdraws it before it has ended.
type storedBatch struct {
	names     []string
	attempt   *modelBatch // nil before the first
	delivered bool
}

// After each random step, registry and model must look the same from outside. -rapid.seed repeats a run; a failure prints the seed
// and the shortest steps.
func TestTheRegistryIsTheModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // only a step lets time pass
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) { // hidden: a bubble allows no t.Deadline
			s := inflight.Settings{
				Dedupe: dedupe.Settings{
					Enabled:    rapid.IntRange(0, 9).Draw(rt, "dedupe") > 0,
					Window:     time.Duration(rapid.IntRange(0, 3).Draw(rt, "window")) * 60 * time.Millisecond,
					MaxEntries: rapid.IntRange(1, 12).Draw(rt, "entries"),
				},
				StallAfter: 90 * time.Millisecond,
			}
			r := &run{
				T:      rt,
				rig:    newRig(t, func(settings *inflight.Settings) { *settings = s }),
				model:  &model{settings: s},
				tokens: make(map[*modelBatch]*inflight.BatchAck),
				acks:   make(map[*modelEvent]*inflight.EventAck),
			}
			rt.Repeat(map[string]func(*rapid.T){
				"":         r.same,
				"claim":    r.claim,
				"publish":  r.publish,
				"take":     r.take,
				"next":     r.next,
				"ack":      r.ack,
				"enter":    r.enter,
				"filter":   r.filter,
				"drop":     r.drop,
				"withdraw": r.withdraw,
				"store":    r.store,
				"ship":     r.ship,
				"wait":     r.wait,
				"seal":     r.seal,
			})
		})
	})
}

func (r *run) claim(t *rapid.T) {
	names := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "-"}), 1, 6).Draw(t, "names")
	b, wantErr := r.model.claim(names)
	token, err := r.rig.tryClaim(names...)
	require.Equal(t, wantErr, err)
	if wantErr == nil {
		r.tokens[b] = token
	}
}

// batch chooses a claimed batch.
func (r *run) batch(t *rapid.T) *modelBatch {
	if len(r.model.batches) == 0 {
		t.Skip("the step needs a batch, and there is none yet")
	}
	return rapid.SampledFrom(r.model.batches).Draw(t, "batch")
}

// events are all events that were ever handed over.
func (r *run) events(t *rapid.T) []*modelEvent {
	var events []*modelEvent
	for _, e := range r.model.events {
		if r.acks[e] != nil {
			events = append(events, e)
		}
	}
	if len(events) == 0 {
		t.Skip("the step needs an event, and there is none yet")
	}
	return events
}

func (r *run) publish(t *rapid.T) {
	b := r.batch(t)
	if b.published {
		t.Skip("a batch is published once")
	}
	b.published = true
	b.inQueue = !r.model.sealed && b.next() != nil
	r.tokens[b].Publish()
}

func (r *run) take(t *rapid.T) {
	if r.rig.registry.QueueLength() == 0 {
		t.Skip("with an empty queue Take would block")
	}
	token := r.rig.registry.Take()
	for b, other := range r.tokens {
		if token == other {
			require.True(t, b.inQueue)
			b.inQueue = false
		}
	}
}

func (r *run) next(t *rapid.T) {
	b := r.batch(t)
	if b.inQueue {
		t.Skip("only a worker that has taken a batch calls Next")
	}
	e := b.next()
	m, ack, ok := r.tokens[b].Next()
	require.Equal(t, e != nil && !r.model.sealed, ok)
	if ok {
		require.Equal(t, e.name, m.Fields["name"])
		e.state = isHandedOver
		r.acks[e] = ack
	}
}

func (r *run) ack(t *rapid.T) {
	events := rapid.SliceOfN(rapid.SampledFrom(r.events(t)), 1, 5).Draw(t, "events")
	private := make([]any, len(events))
	for i, e := range events {
		private[i] = r.acks[e]
	}
	counted, _ := r.rig.registry.Ack(private)
	require.Equal(t, r.model.ack(events), counted)
}

func (r *run) enter(t *rapid.T) {
	e := rapid.SampledFrom(r.events(t)).Draw(t, "event")
	r.model.enter(e)
	r.acks[e].ReachOutput()
}

func (r *run) filter(t *rapid.T) {
	e := rapid.SampledFrom(r.events(t)).Draw(t, "event")
	r.model.filter(e)
	r.acks[e].Filter()
}

func (r *run) drop(t *rapid.T) {
	e := rapid.SampledFrom(r.events(t)).Draw(t, "event")
	cause := rapid.SampledFrom([]error{inflight.ErrDropped, inflight.ErrUnpublishable, &inflight.ProcessorError{Processor: "p"}}).Draw(t, "cause")
	r.model.drop(e, cause)
	r.acks[e].Drop(cause)
}

func (r *run) withdraw(t *rapid.T) {
	b := r.batch(t)
	if slices.ContainsFunc(r.stored, func(s *storedBatch) bool { return s.attempt == b }) {
		t.Skip("the shipper waits for the end")
	}
	want := r.model.withdraw(b)
	withdrawn, delivered := r.tokens[b].Withdraw()
	require.Equal(t, want, withdrawn)
	require.Equal(t, b.end() == nil, delivered)
}

func (r *run) store(t *rapid.T) {
	names := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "="}), 1, 4).Draw(t, "names")
	for i, name := range names {
		if name == "=" {
			names[i] = fmt.Sprintf("=%d.%d", len(r.stored), i)
		}
	}
	r.stored = append(r.stored, &storedBatch{names: names})
}

func (r *run) ship(t *rapid.T) {
	i := slices.IndexFunc(r.stored, func(s *storedBatch) bool {
		return !s.delivered && (s.attempt == nil || s.attempt.end() != errTimeout) //nolint:errorlint // itself
	})
	if i < 0 {
		t.Skip("the step needs a stored batch that is not under way")
	}
	s := r.stored[i]
	if s.attempt != nil {
		withdrawn, delivered := r.tokens[s.attempt].Withdraw()
		require.Equal(t, r.model.withdraw(s.attempt), withdrawn)
		s.attempt, s.delivered = nil, delivered
		return
	}
	b, wantErr := r.model.claim(s.names)
	token, err := r.rig.tryClaim(s.names...)
	require.Equal(t, wantErr, err)
	if wantErr == nil {
		r.tokens[b], s.attempt = token, b
	}
}

func (r *run) wait(t *rapid.T) {
	d := time.Duration(rapid.IntRange(1, 120).Draw(t, "ms")) * time.Millisecond // rapid takes a day of the bubble's time at most
	time.Sleep(d)
	r.model.now += d
}

func (r *run) seal(t *rapid.T) {
	if rapid.IntRange(0, 19).Draw(t, "seldom") > 0 {
		t.Skip("after a seal little happens, so it is drawn once in twenty times")
	}
	if !r.model.sealed {
		open := 0
		for b := range r.tokens {
			if b.end() != nil && b.err == nil || b.unsettled() > 0 {
				open++
			}
		}
		want := inflight.Tally{Batches: open, Events: r.model.handedOver()}
		require.Equal(t, want, r.rig.registry.Seal().Unacknowledged)
	}
	r.model.seal()
}

// same compares registry and model.
func (r *run) same(t *rapid.T) {
	bytes, inQueue := 0, 0
	for b, token := range r.tokens {
		acked, filtered := b.progress()
		p := token.Progress()
		require.Equal(t, []int{len(b.messages), acked, filtered}, []int{p.Messages, p.Acked, p.Filtered}, "progress")
		require.ErrorIs(t, endOf(token), b.end(), "the error of Wait")
		bytes += r.model.bytes(b)
		if b.inQueue && b.next() != nil && !r.model.sealed {
			inQueue++
		}
	}
	require.EqualValues(t, bytes, r.rig.admission.Used(), "bytes in flight")
	require.Equal(t, inQueue, r.rig.registry.QueueLength(), "batches in the queue")
	if r.model.sealed {
		require.Zero(t, r.rig.registry.Events())
		return
	}
	require.Equal(t, r.model.handedOver(), r.rig.registry.Events(), "events in flight")
	r.model.expire()
	require.Equal(t, len(r.model.delivered), r.rig.registry.DedupeEntries(), "entries")
	_, stalled := r.rig.registry.Stalled()
	require.Equal(t, r.model.stalled(), stalled)
}

// endOf is the error of waiting for the token; errTimeout if it is not resolved.
func endOf(token *inflight.BatchAck) error { return token.Wait(endedContext) }
