package beater

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/txn2/rtbeat/internal/inflight"
)

// mu guards the values that a test changes while a condition is observed.
var mu sync.Mutex

func locked(f func()) {
	mu.Lock()
	defer mu.Unlock()
	f()
}

// lines keeps the logged lines: the level, the beginning of the message, and the fields.
type lines []string

func (l *lines) add(level, msg string, fields []any) {
	locked(func() { *l = append(*l, fmt.Sprintln(append([]any{level, msg[:min(len(msg), 24)]}, fields...)...)) })
}
func (l *lines) Infow(msg string, fields ...any)  { l.add("info", msg, fields) }
func (l *lines) Warnw(msg string, fields ...any)  { l.add("warn", msg, fields) }
func (l *lines) Errorw(msg string, fields ...any) { l.add("error", msg, fields) }

// watching runs f beside the watch of one condition, in a bubble.
func watching(t *testing.T, c *condition, f func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conditions{c}.watch(ctx)
	}()
	time.Sleep(observeEvery / 2) // between two observations
	f()
	cancel()
	<-ended
}

// output has the values that a Registry reports of an output.
type output struct {
	stalled bool
	age     time.Duration
	events  int
}

func (o *output) Stalled() (age time.Duration, stalled bool) {
	locked(func() { age, stalled = o.age, o.stalled })
	return age, stalled
}

func (o *output) Events() (n int) {
	locked(func() { n = o.events })
	return n
}

func TestAStallIsLoggedOnceAndItsEndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		var o output
		watching(t, outputStalled(o.Stalled, o.Events, false, &log), func() {
			time.Sleep(time.Hour)
			locked(func() {
				require.Empty(t, log, "nothing happened")
				o = output{stalled: true, age: 30 * time.Second, events: 7}
			})
			time.Sleep(10 * time.Second)
			locked(func() { o = output{events: 2} })
			time.Sleep(time.Hour)
		})
		require.Equal(t, lines{
			"error the output is stalled: i events 7 event.duration 30000000000 suppressed 0\n",
			"info the output acknowledges  events 2 event.duration 40000000000\n",
		}, log)
	})
}

// In durable mode a stall refuses no batch.
func TestAStallOfDurableMode(t *testing.T) {
	for isDurable, consequence := range map[bool]string{false: "Batches with new messages are refused", true: "Batches are stored"} {
		core, log := observer.New(zap.InfoLevel)
		o := &output{stalled: true}
		outputStalled(o.Stalled, o.Events, isDurable, zap.New(core).Sugar()).update(time.Now())
		require.Contains(t, log.All()[0].Message, consequence)
	}
}

func TestAConditionThatFlapsIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		var o output
		watching(t, outputStalled(o.Stalled, o.Events, false, &log), func() {
			for range 120 { // two minutes of it, one second each
				locked(func() { o.stalled = !o.stalled })
				time.Sleep(observeEvery)
			}
		})
		require.Len(t, log, 4, "a beginning and an end each minute")
		require.Contains(t, log[2], "suppressed 29")

		// A condition that lasts is logged when the minute is over.
		log = nil
		watching(t, outputStalled(o.Stalled, o.Events, false, &log), func() {
			for range 3 {
				locked(func() { o.stalled = !o.stalled })
				time.Sleep(observeEvery)
			}
			locked(func() { require.Len(t, log, 2) })
			time.Sleep(logEvery)
		})
		require.Len(t, log, 3)
		require.Contains(t, log[2], "error the output is stalled")
		require.Contains(t, log[2], "event.duration 58000000000 suppressed 0")
	})
}

func TestInFlightIsLoggedWithTheTimesBetweenObservations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		admission := inflight.NewAdmission(100)
		watching(t, inFlightHigh(admission, &log), func() {
			r, err := admission.Open(-1)
			require.NoError(t, err)
			for range 3 { // between two observations
				require.NoError(t, r.Grow(95))
				r.GiveBack(95)
			}
			require.NoError(t, r.Grow(95))
			time.Sleep(5 * time.Second)
			r.GiveBack(95)
			time.Sleep(5 * time.Second)
		})
		require.Equal(t, lines{
			"warn nine tenths of rtbeat.ma bytes 95 limit 100 event.duration 500000000 suppressed 3\n",
			"info in flight is down to thr bytes 0 limit 100 event.duration 5500000000\n",
		}, log)
	})
}

// connectionCounts are the values that a Bound reports.
type connectionCounts struct{ open, limit int }

func (p *connectionCounts) Open() (n int) {
	locked(func() { n = p.open })
	return n
}

func (p *connectionCounts) Limit() (n int) {
	locked(func() { n = p.limit })
	return n
}

func (*connectionCounts) Displaced() uint64 { return 3 }

func TestConnectionsAreLoggedAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		p := connectionCounts{limit: 20}
		watching(t, connectionsFull(p.Open, p.Limit, p.Displaced, &log), func() {
			for _, open := range []int{19, 20, 19, 20, 19, 17, 19} {
				locked(func() { p.open = open })
				time.Sleep(observeEvery)
			}
			locked(func() { p = connectionCounts{open: 20} }) // without a limit
			time.Sleep(2 * logEvery)
		})
		require.Equal(t, lines{
			"warn rtbeat.max_connections a connections 20 limit 20 displaced 3 event.duration 0 suppressed 0\n",
			"info a tenth of rtbeat.max_co connections 17 limit 20 displaced 3 event.duration 4000000000\n",
		}, log)
	})
}
