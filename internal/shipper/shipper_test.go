package shipper

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/dedupe"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a shipper with a real queue and registry. The test plays the publishing worker and the output.
type rig struct {
	t         *testing.T
	dir       string
	queue     *diskqueue.Queue
	registry  *inflight.Registry
	admission *inflight.Admission
	shipper   *Shipper
	log       *fakeLog

	stop   context.CancelFunc
	ran    sync.WaitGroup
	worker sync.WaitGroup

	mu        sync.Mutex
	published []string // the field n of each message, in order
	keys      map[string][]batch.Key
}

type fakeLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *fakeLog) Errorw(msg string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprint(msg, args))
}

func (l *fakeLog) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

const limit = 100_000

func newRig(t *testing.T) *rig {
	t.Helper()
	return reopen(t, t.TempDir())
}

// reopen makes a rig of the queue in a directory, as the next process does.
func reopen(t *testing.T, dir string) *rig {
	t.Helper()
	window := dedupe.Settings{Enabled: true, Window: time.Hour, MaxEntries: 1000}
	q, err := diskqueue.Open(diskqueue.Settings{Path: dir, MaxBytes: 1 << 30, Dedupe: window})
	require.NoError(t, err)
	r := &rig{
		t: t, dir: dir, queue: q, admission: inflight.NewAdmission(limit), log: &fakeLog{}, keys: make(map[string][]batch.Key),
		registry: inflight.NewRegistry(inflight.Settings{Dedupe: window, DocumentID: inflight.ContentID, StallAfter: 30 * time.Second}),
	}
	r.shipper = New(Parts{Queue: q, Registry: r.registry, Admission: r.admission, Log: r.log})
	return r
}

func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	r.ran.Go(func() { r.shipper.Run(ctx) })
}

// work is a publishing worker that calls with for each message, until close.
func (r *rig) work(with func(n string, e *inflight.EventAck)) {
	r.worker.Go(func() {
		for b := r.registry.Take(); b != nil; b = r.registry.Take() {
			for m, e, ok := b.Next(); ok; m, e, ok = b.Next() {
				n := fmt.Sprint(m.Fields["n"])
				key, _ := e.Key()
				r.mu.Lock()
				r.published = append(r.published, n)
				r.keys[n] = append(r.keys[n], key)
				r.mu.Unlock()
				with(n, e)
			}
		}
	})
}

func (r *rig) ack(_ string, e *inflight.EventAck) {
	e.ReachOutput()
	r.registry.Ack([]any{e})
}

// close stops in the order of the beater. It returns the number of batches on the disk.
func (r *rig) close() (left int) {
	r.t.Helper()
	if r.stop != nil {
		r.stop()
	}
	r.registry.Seal()
	r.registry.CloseQueue()
	r.worker.Wait()
	r.ran.Wait()
	require.NoError(r.t, r.queue.Close())
	return r.queue.Stats().Batches
}

// store stores a batch as the intake does.
func (r *rig) store(messages ...string) (known int) {
	r.t.Helper()
	body := []byte("[" + strings.Join(messages, ",") + "]")
	b, err := batch.Decode(body, batch.Options{Identity: batch.Identity{Fields: []string{"uuid"}}})
	require.NoError(r.t, err)
	record := diskqueue.Record{Header: diskqueue.Header{Origin: inflight.Origin{Received: time.Now().UTC()}, Messages: len(messages)}, Body: body}
	var keys []batch.Key
	for i := range b.Messages {
		record.Weight += int64(b.Messages[i].Weight)
		keys = append(keys, b.Messages[i].Key)
	}
	known, err = r.shipper.Store(r.t.Context(), record, b.Messages, keys)
	require.NoError(r.t, err)
	return known
}

// count is how often each message was published.
func (r *rig) count() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := make(map[string]int)
	for _, n := range r.published {
		counts[n]++
	}
	return counts
}

func (r *rig) requirePublished(want ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Equal(r.t, want, r.published)
}

func numbered(n int) string { return fmt.Sprintf(`{"uuid":"u%d","n":%d}`, n, n) }

// settle waits until only timers are left.
func settle() {
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
}

func TestAStoredBatchIsDeliveredAndDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		r.work(r.ack)
		for n := range 5 {
			require.Zero(t, r.store(numbered(n)))
		}
		require.Equal(t, 1, r.store(numbered(4)), "deduped")
		settle()
		r.requirePublished("0", "1", "2", "3", "4")
		require.Zero(t, r.queue.Stats().Batches)
		require.Zero(t, r.admission.Used())
		require.Zero(t, r.close())
	})
}

// Batches of an earlier process are delivered, and retries of them are known.
func TestBatchesOfAnEarlierProcessAreDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var want []string
		for n := range 200 {
			r.shipper.behind.Store(true) // none is delivered from memory
			r.store(numbered(n))
			want = append(want, fmt.Sprint(n))
		}
		require.Equal(t, 200, r.close())

		r = reopen(t, r.dir)
		require.Equal(t, 1, r.store(numbered(17)))
		r.run()
		r.work(r.ack)
		settle()
		slices.Sort(want)
		slices.Sort(r.published)
		r.requirePublished(want...)
		require.Zero(t, r.close())
	})
}

// A failed batch is retried, less and less often, and delays no others.
func TestAFailedBatchIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		r.work(func(n string, e *inflight.EventAck) {
			if n == "0" && time.Since(bubbleStart) < time.Hour {
				e.Drop(&inflight.ProcessorError{Processor: "p"})
				return
			}
			r.ack(n, e)
		})
		r.store(numbered(0), numbered(1))
		r.store(numbered(2))
		settle()
		require.Equal(t, 1, r.queue.Stats().Batches)
		require.Equal(t, 1, r.shipper.Retrying())
		lines := r.log.all()
		require.Len(t, lines, 1)
		require.Contains(t, lines[0], "processor p failed")
		time.Sleep(30 * time.Minute)
		attempts := r.count()["0"]
		require.Greater(t, attempts, 30)
		require.Less(t, attempts, 60, "at most once a minute")
		time.Sleep(time.Hour)
		settle()
		require.Zero(t, r.queue.Stats().Batches)
		require.Zero(t, r.shipper.Retrying())
		require.Equal(t, 1, r.count()["1"], "although the window is over by the last attempt")
		require.Equal(t, 1, r.count()["2"])
		require.Zero(t, r.close())
	})
}

// bubbleStart is when time begins in a bubble.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// The next process does not publish messages again that were delivered.
func TestDeliveredMessagesOfABatchAreNotedOnTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		r.work(func(n string, e *inflight.EventAck) {
			if n == "0" {
				e.Drop(inflight.ErrUnpublishable)
				return
			}
			r.ack(n, e)
		})
		r.store(numbered(0), numbered(1), `{"n":2}`)
		time.Sleep(time.Minute)
		require.Equal(t, 1, r.count()["1"])
		require.Equal(t, 1, r.close())

		r = reopen(t, r.dir)
		r.run()
		r.work(r.ack)
		settle()
		r.requirePublished("0")
		require.Zero(t, r.close())
	})
}

// Delivered messages of a batch are not published again after a stall that is longer than the dedupe window.
func TestDeliveredMessagesAreNotedBeforeTheNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		var stuck *inflight.EventAck
		r.work(func(n string, e *inflight.EventAck) {
			switch {
			case n == "0" && r.count()["0"] == 1:
				time.Sleep(30*time.Second - time.Millisecond) // the stall begins before the next attempt
				e.Drop(&inflight.ProcessorError{Processor: "p"})
			case n == "2":
				e.ReachOutput()
				stuck = e
			default:
				r.ack(n, e)
			}
		})
		r.store(numbered(2))
		settle()
		r.store(numbered(1), numbered(0))
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		require.Equal(t, 1, r.count()["0"], "the output stalls")
		r.ack("", stuck)
		settle()
		require.Equal(t, map[string]int{"0": 2, "1": 1, "2": 1}, r.count())
		require.Zero(t, r.close())
	})
}

// A message without a uuid has the same key in each attempt, and in each process. Delivered messages are not published again.
func TestAStoredMessageWithoutUUIDHasAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		failing := true
		r.work(func(n string, e *inflight.EventAck) {
			if n == "2" && failing {
				failing = false
				e.Drop(inflight.ErrUnpublishable)
				return
			}
			if n == "3" {
				e.ReachOutput() // never acknowledged
				return
			}
			r.ack(n, e)
		})
		r.store(`{"n":1}`, `{"n":1}`, `{"n":2}`)
		settle()
		time.Sleep(time.Second)
		r.requirePublished("1", "1", "2", "2")
		require.NotEqual(t, r.keys["1"][0], r.keys["1"][1], "two messages of the same text")
		require.Equal(t, r.keys["2"][0], r.keys["2"][1], "two attempts")
		r.store(`{"n":3}`)
		settle()
		require.Equal(t, 1, r.close())
		before := r.keys["3"][0]
		require.NotZero(t, before)

		r = reopen(t, r.dir)
		r.run()
		r.work(r.ack)
		settle()
		require.Equal(t, before, r.keys["3"][0], "two processes")
		require.Zero(t, r.close())
	})
}

// During a stall, batches are stored and stay on the disk.
func TestAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		var mu sync.Mutex
		var held []any
		isDown := true
		r.work(func(n string, e *inflight.EventAck) {
			mu.Lock()
			defer mu.Unlock()
			if !isDown {
				r.ack(n, e)
				return
			}
			e.ReachOutput()
			held = append(held, e)
		})
		r.store(numbered(0))
		time.Sleep(31 * time.Second)
		_, isStalled := r.registry.Stalled()
		require.True(t, isStalled)
		for n := 1; n < 300; n++ {
			r.store(numbered(n))
		}
		settle()
		r.requirePublished("0")
		require.Equal(t, 300, r.queue.Stats().Batches)
		require.Greater(t, r.queue.Stats().Oldest, 31*time.Second)

		mu.Lock()
		isDown = false
		mu.Unlock()
		r.registry.Ack(held)
		settle()
		require.Zero(t, r.queue.Stats().Batches)
		require.Len(t, r.count(), 300)
		require.Zero(t, r.close())
	})
}

// The bounds hold while the output acknowledges nothing. A batch that weighs more than the limit is delivered alone.
func TestTheBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		large := `{"uuid":"large","n":"large","pad":"` + strings.Repeat("x", 2*limit) + `"}`
		var want []string
		for n := range 2 * maxUnderway {
			r.store(numbered(n))
			want = append(want, fmt.Sprint(n))
		}
		r.store(large)
		settle()
		batches, _, _ := r.registry.Underway()
		require.Equal(t, maxUnderway, batches)
		require.LessOrEqual(t, r.admission.Used(), int64(limit))
		r.work(func(n string, e *inflight.EventAck) {
			if n == "large" {
				require.EqualValues(t, limit, r.admission.Used())
			}
			r.ack(n, e)
		})
		time.Sleep(time.Second)
		settle()
		slices.Sort(want)
		slices.Sort(r.published)
		r.requirePublished(append(want, "large")...)
		require.Zero(t, r.close())
	})
}

// A stop waits for the batches under way, and keeps undelivered batches, also one that is stored last.
func TestAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		r.work(func(n string, e *inflight.EventAck) {
			e.ReachOutput()
			if n != "1" {
				time.AfterFunc(time.Second, func() { r.registry.Ack([]any{e}) })
			}
		})
		r.store(numbered(0))
		r.store(numbered(1), numbered(3))
		r.stop()
		ended := make(chan struct{})
		go func() { r.ran.Wait(); close(ended) }()
		settle()
		select {
		case <-ended:
			require.Fail(t, "Run has returned while batches are under way")
		default:
		}
		r.store(numbered(2)) // by a request from before the stop
		time.Sleep(2 * time.Second)
		r.requirePublished("0", "1", "3")
		require.Equal(t, 2, r.close(), "1 was sealed, and 2 was not claimed")

		r = reopen(t, r.dir)
		r.run()
		r.work(r.ack)
		settle()
		require.Equal(t, map[string]int{"1": 1, "2": 1}, r.count(), "3 was delivered before")
		require.Zero(t, r.close())
	})
}

// A batch is delivered, once, although its sender has gone before the commit.
func TestAnAbandonedBatchIsDelivered(t *testing.T) {
	r := newRig(t)
	r.work(r.ack)
	r.run()
	for n := range 300 {
		body := []byte("[" + numbered(n) + "]")
		b, err := batch.Decode(body, batch.Options{Identity: batch.Identity{Fields: []string{"uuid"}}})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*5*time.Microsecond)
		_, _ = r.shipper.Store(ctx, diskqueue.Record{Body: body, Header: diskqueue.Header{Weight: 30}}, b.Messages, []batch.Key{b.Messages[0].Key})
		cancel()
	}
	require.Eventually(t, func() bool { return r.queue.Stats().Batches == 0 }, 10*time.Second, time.Millisecond)
	require.Zero(t, r.close())
	published := slices.Clone(r.published)
	slices.Sort(published)
	require.Equal(t, published, slices.Compact(slices.Clone(published)), "each once")
}
