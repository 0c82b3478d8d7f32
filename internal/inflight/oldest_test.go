package inflight_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// claimReceived claims a batch that was received some time ago.
func (r *rig) claimReceived(ago time.Duration, names ...string) *inflight.BatchAck {
	r.t.Helper()
	messages := make([]batch.Message, len(names))
	for i, name := range names {
		messages[i] = message(name)
	}
	reservation, err := r.admission.Open(0)
	require.NoError(r.t, err)
	token, err := r.registry.Claim(messages, inflight.Origin{Received: time.Now().Add(-ago).UTC()}, reservation)
	require.NoError(r.t, err)
	return token
}

func TestOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		requireOldest := func(want time.Duration, why string) {
			t.Helper()
			require.Equal(t, want, r.registry.Oldest(), why)
		}
		requireOldest(0, "no batch")
		late := r.claimReceived(time.Second, "a", "b")
		early := r.claimReceived(5*time.Second, "c") // its body was read more slowly
		requireOldest(0, "the pipeline has nothing yet")
		events := handOver(late, 1)
		requireOldest(time.Second, "one event of the later batch")
		time.Sleep(time.Second)
		requireOldest(2*time.Second, "it gets older")
		events = append(events, handOver(early, 1)...)
		requireOldest(6*time.Second, "the earlier batch, although it was handed over later")
		events = append(events, handOver(late, 1)...)
		deduped := r.claimReceived(time.Minute, "a")
		requireOldest(6*time.Second, "the deduped batch has no event of its own in the pipeline")
		r.ack(events[1])
		requireOldest(2*time.Second, "the later batch is left")
		r.ack(events[0])
		requireOldest(2*time.Second, "and one event of it")
		drop(events[2], inflight.ErrDropped)
		requireOldest(0, "the pipeline has no event")
		for _, token := range []*inflight.BatchAck{late, early, deduped} {
			token.Withdraw()
		}
		r.requireEmpty()
	})
}

// The events of an answered batch count while they are in the pipeline. Seal ends that.
func TestOldestAfterTheAnswerAndAfterSeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token, events := r.publish("a", "b")
		time.Sleep(3 * time.Second)
		token.Withdraw()
		require.Equal(t, 3*time.Second, r.registry.Oldest())
		r.registry.Seal()
		require.Zero(t, r.registry.Oldest())
		r.ack(events...)
		require.Zero(t, r.registry.Oldest(), "late acknowledgements change nothing")
	})
}

// Compared with looking at every batch, over random steps.
func TestOldestIsTheOldest(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) { compareOldest(t, rt) })
	})
}

func compareOldest(t *testing.T, rt *rapid.T) {
	t.Helper()
	type claimed struct {
		received time.Time
		token    *inflight.BatchAck
		events   []any
	}
	r := newRig(t)
	var batches []*claimed
	oldest := func() (age time.Duration) {
		for _, b := range batches {
			if len(b.events) > 0 {
				age = max(age, time.Since(b.received))
			}
		}
		return age
	}
	ms := func(most int, name string) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(rt, name)) * time.Millisecond
	}
	for range rapid.IntRange(1, 60).Draw(rt, "steps") {
		time.Sleep(ms(100, "passing"))
		step := rapid.IntRange(0, 2).Draw(rt, "step")
		if step == 0 || len(batches) == 0 {
			ago := ms(1000, "ago")
			batches = append(batches, &claimed{received: time.Now().Add(-ago), token: r.claimReceived(ago, "-a", "-b", "-c")})
			continue
		}
		b := batches[rapid.IntRange(0, len(batches)-1).Draw(rt, "batch")]
		if step == 1 {
			b.events = append(b.events, handOver(b.token, 1)...)
		} else if len(b.events) > 0 {
			r.ack(b.events[0])
			b.events = b.events[1:]
		}
		require.Equal(t, oldest(), r.registry.Oldest())
	}
}

// QueueWait returns the wait until the first Take, however often the batch goes back.
func TestQueueWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		many := make([]string, inflight.MaxRun+1)
		for i := range many {
			many[i] = "-"
		}
		first, second := r.claim(many...), r.claim("c")
		first.Publish()
		time.Sleep(700 * time.Millisecond)
		second.Publish()
		require.Same(t, first, r.registry.Take())
		wait, isFirst := first.QueueWait()
		require.True(t, isFirst)
		require.Equal(t, 700*time.Millisecond, wait)
		require.Len(t, handOver(first, inflight.MaxRun), inflight.MaxRun)
		require.Equal(t, 1, r.registry.QueueLength())
		_, _, ok := first.Next()
		require.False(t, ok)
		require.Equal(t, 2, r.registry.QueueLength(), "it is behind the other one")
		time.Sleep(100 * time.Millisecond)

		require.Same(t, second, r.registry.Take())
		handOver(second, 1)
		wait, isFirst = second.QueueWait()
		require.True(t, isFirst)
		require.Equal(t, 100*time.Millisecond, wait)

		require.Same(t, first, r.registry.Take())
		require.Len(t, handOver(first, 2), 1)
		_, isFirst = first.QueueWait()
		require.False(t, isFirst, "once")
		r.registry.Seal()
	})
}

// A batch goes back only while others wait, and for a second at most.
func TestABatchThatGivesNoWayIsPublishedWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, prepare := range map[string]func(r *rig){
			"alone":          func(*rig) {},
			"after a second": func(r *rig) { time.Sleep(time.Second + 1); r.claim("c").Publish() },
		} {
			r := newRig(t)
			r.admission = inflight.NewAdmission(1 << 20)
			many := make([]string, 2*inflight.MaxRun+1)
			for i := range many {
				many[i] = "-"
			}
			whole := r.claim(many...)
			whole.Publish()
			require.Same(t, whole, r.registry.Take())
			prepare(r)
			require.Len(t, handOver(whole, len(many)), len(many), name)
			r.registry.Seal()
		}
	})
}
