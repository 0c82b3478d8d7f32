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

// mu guards what a test changes while a state is looked at.
var mu sync.Mutex

func locked(f func()) {
	mu.Lock()
	defer mu.Unlock()
	f()
}

// lines keeps what is logged, a line each: level, the beginning of the message, and fields.
type lines []string

func (l *lines) add(level, msg string, fields []any) {
	locked(func() { *l = append(*l, fmt.Sprintln(append([]any{level, msg[:min(len(msg), 24)]}, fields...)...)) })
}
func (l *lines) Infow(msg string, fields ...any)  { l.add("info", msg, fields) }
func (l *lines) Warnw(msg string, fields ...any)  { l.add("warn", msg, fields) }
func (l *lines) Errorw(msg string, fields ...any) { l.add("error", msg, fields) }

// watching runs f beside the watch of one state, in a bubble.
func watching(t *testing.T, s *state, f func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		states{s}.watch(ctx)
	}()
	time.Sleep(lookEvery / 2) // between the looks
	f()
	cancel()
	<-ended
}

// output is what Stalled says of one.
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

func TestAStallIsToldOnceAndItsEndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		var o output
		watching(t, stallOf(&o, false, &log), func() {
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

// In durable mode a stall refuses nobody.
func TestAStallOfDurableMode(t *testing.T) {
	for isDurable, consequence := range map[bool]string{false: "Batches with new messages are refused", true: "Batches are stored"} {
		core, log := observer.New(zap.InfoLevel)
		stallOf(&output{}, isDurable, zap.New(core).Sugar()).begun()
		require.Contains(t, log.All()[0].Message, consequence)
	}
}

func TestAStateThatFlapsIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		var o output
		watching(t, stallOf(&o, false, &log), func() {
			for range 120 { // two minutes of it, one second each
				locked(func() { o.stalled = !o.stalled })
				time.Sleep(lookEvery)
			}
		})
		require.Len(t, log, 4, "a beginning and an end each minute")
		require.Contains(t, log[2], "suppressed 29")

		// What lasts is told as soon as the minute is over.
		log = nil
		watching(t, stallOf(&o, false, &log), func() {
			for range 3 {
				locked(func() { o.stalled = !o.stalled })
				time.Sleep(lookEvery)
			}
			locked(func() { require.Len(t, log, 2) })
			time.Sleep(tellEvery)
		})
		require.Len(t, log, 3)
		require.Contains(t, log[2], "error the output is stalled")
		require.Contains(t, log[2], "event.duration 58000000000 suppressed 0")
	})
}

func TestInFlightIsToldWithWhatNobodySaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		admission := inflight.NewAdmission(100)
		watching(t, highOf(admission, &log), func() {
			r, err := admission.Open(-1)
			require.NoError(t, err)
			for range 3 { // between two looks
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

// places are the connections of a bound.
type places struct{ open, limit int }

func (p *places) Open() (n int) {
	locked(func() { n = p.open })
	return n
}

func (p *places) Limit() (n int) {
	locked(func() { n = p.limit })
	return n
}

func (*places) Displaced() uint64 { return 3 }

func TestConnectionsAreToldAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		p := places{limit: 20}
		watching(t, crowdOf(&p, &log), func() {
			for _, open := range []int{19, 20, 19, 20, 19, 17, 19} {
				locked(func() { p.open = open })
				time.Sleep(lookEvery)
			}
			locked(func() { p = places{open: 20} }) // without a limit
			time.Sleep(2 * tellEvery)
		})
		require.Equal(t, lines{
			"warn rtbeat.max_connections a connections 20 limit 20 displaced 3 event.duration 0 suppressed 0\n",
			"info a tenth of rtbeat.max_co connections 17 limit 20 displaced 3 event.duration 4000000000\n",
		}, log)
	})
}
