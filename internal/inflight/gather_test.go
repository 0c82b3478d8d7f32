package inflight_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
)

// taking is a worker that takes batches.
type taking struct {
	mu     sync.Mutex
	tokens []*inflight.BatchAck
	after  []time.Duration
}

// work takes batches until the line is closed.
func (r *rig) work() *taking {
	w := &taking{}
	start := time.Now()
	go func() {
		for token := r.registry.Take(); token != nil; token = r.registry.Take() {
			w.mu.Lock()
			w.tokens = append(w.tokens, token)
			w.after = append(w.after, time.Since(start))
			w.mu.Unlock()
		}
	}()
	return w
}

// taken is when batches were taken since the work began.
func (w *taking) taken() []time.Duration {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.after)
}

// idle ends the story: the line is closed and the registry sealed.
func (r *rig) idle() {
	r.registry.CloseLine()
	r.registry.Seal()
}

const moment = 500 * time.Microsecond

func TestWhatComesBesideLittleIsTakenAtOnce(t *testing.T) {
	for inPipeline := range 2 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			if inPipeline > 0 {
				r.publish("before")
			}
			w := r.work()
			r.claim("a").Publish()
			require.Equal(t, []time.Duration{0}, w.taken())
			r.idle()
		})
	}
}

func TestBesideEventsInThePipelineAFewMessagesWaitAMomentForMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.publish("before", "too")
		w := r.work()
		r.claim("a").Publish()
		time.Sleep(moment / 2)
		r.claim("b", "c").Publish()
		require.Empty(t, w.taken())
		time.Sleep(time.Second)
		require.Equal(t, []time.Duration{moment, moment}, w.taken(), "counted from the first")

		r.claim("d").Publish()
		time.Sleep(time.Second)
		require.Equal(t, time.Second+moment/2+moment, w.taken()[2], "and again for the next ones")
		r.idle()
	})
}

func TestGatheringEndsWithTheAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, events := r.publish("before", "too", "three")
		w := r.work()
		r.claim("a").Publish()
		r.claim("b").Publish()
		time.Sleep(moment / 5)
		r.ack(events[0])
		require.Empty(t, w.taken(), "two are left")
		time.Sleep(moment / 5)
		r.ack(events[1])
		require.Equal(t, []time.Duration{2 * moment / 5, 2 * moment / 5}, w.taken())
		r.idle()
	})
}

func TestManyMessagesDoNotGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.publish("before", "too")
		w := r.work()
		for i := range 15 {
			r.claim(fmt.Sprint("-", i)).Publish()
		}
		require.Empty(t, w.taken())
		r.claim("-15").Publish()
		require.Len(t, w.taken(), 16)
		require.Zero(t, w.taken()[15])

		many := make([]string, 16)
		for i := range many {
			many[i] = fmt.Sprint("many", i)
		}
		r.claim(many...).Publish()
		require.Len(t, w.taken(), 17)
		require.Zero(t, w.taken()[16])
		r.idle()
	})
}

// What was withdrawn is not gathered any more, and what is taken neither.
func TestOnlyWhatIsInLineCountsAsGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.publish("before", "too")
		w := r.work()
		r.claim("-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-").Publish()
		require.Len(t, w.taken(), 1)
		withdrawn := r.claim("-", "-", "-", "-", "-", "-", "-", "-", "-", "-")
		withdrawn.Publish()
		withdrawn.Withdraw()
		joined := r.claim("a", "-", "-", "-", "-", "-", "-", "-")
		joined.Publish()
		r.claim("a").Publish()
		joined.Withdraw() // but for the message that somebody else waits for
		r.claim("-", "-", "-", "-", "-", "-", "-", "-", "-", "-").Publish()
		require.Len(t, w.taken(), 1)
		r.claim("-", "-", "-", "-").Publish()
		require.Len(t, w.taken(), 1, "fifteen")
		r.claim("-").Publish()
		require.Len(t, w.taken(), 5)
		w.tokens[0].Withdraw()
		r.idle()
	})
}

func TestWhatWasGatheredIsForAllWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.publish("before", "too")
		takes := make(chan *inflight.BatchAck)
		for range 3 {
			go func() { takes <- r.registry.Take() }()
		}
		synctest.Wait()
		for i := range 16 {
			r.claim(fmt.Sprint("-", i)).Publish()
			synctest.Wait() // each wakes a worker, which goes on waiting
		}
		start := time.Now()
		for range 3 {
			require.NotNil(t, <-takes)
		}
		require.Zero(t, time.Since(start))
		r.idle()
	})
}

func TestClosingTheLineEndsGathering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.publish("before", "too")
		w := r.work()
		r.claim("a").Publish()
		require.Empty(t, w.taken())
		r.idle()
		time.Sleep(time.Second)
		require.Empty(t, w.taken())
	})
}
