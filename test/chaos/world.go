//go:build chaos

// Package chaos breaks connections, the sink and the rtbeat process while senders send. Then a ledger says whether the promise held.
//
// A world has a process, a sink, a proxy on each side of the process, and the senders. A fault (faults_*.go) is started, must take
// effect, and is stopped. At the end of a scenario, settle waits until everything is delivered, and compares the answers to the
// senders with the events at the sink.
package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// seedEnv repeats a run: every scenario makes its choices from it. With the seed of a scenario of TestRandomFaults, that scenario is
// the first of the run. The timing of the machine is not repeated.
const seedEnv = "RTBEAT_CHAOS_SEED"

const (
	// effectWithin bounds the time until a fault takes effect.
	effectWithin = 15 * time.Second
	// recoverWithin bounds the time from the end of a fault to the next 200 of each sender.
	recoverWithin = 20 * time.Second
	// keepAlive is the interval of the sink's keep-alives, well below outputTimeout.
	keepAlive     = 300 * time.Millisecond
	outputTimeout = 2 * time.Second
	// ackTimeout is the setting timeout.
	ackTimeout     = time.Second
	shutdownBudget = 1500 * time.Millisecond
)

// mode says what a 200 means: delivered, or stored on disk.
type mode string

const (
	memory  mode = "memory"
	durable mode = "durable"
)

var modes = []mode{memory, durable}

// world has the parts of one scenario.
type world struct {
	t    testing.TB
	name string
	rng  *rand.Rand

	ledger  *harness.Ledger
	tally   harness.Tally
	senders []*sender
	running sync.WaitGroup

	front *proxy // between the senders and the process
	back  *proxy // between the process and the sink

	settings harness.Settings
	beat     *harness.Beat
	before   *harness.Beat // the process before, if any
	procs    []*process
	sinks    []*lumbersink.Sink
	rest     figures
	stored   bool // durable mode
	copies   int  // explained copies, found by settle

	mu    sync.Mutex
	notes []harness.Note
}

// process is one run of the program.
type process struct {
	started, ended time.Time // ended is zero while it runs
	how            string
	stops          []span // while it was stopped by SIGSTOP
}

type span struct{ from, to time.Time }

// ran is the time that the process was not stopped between two moments.
func (p *process) ran(from, to time.Time) time.Duration {
	d := to.Sub(from)
	for _, s := range p.stops {
		begin, end := s.from, s.to
		if begin.Before(from) {
			begin = from
		}
		if end.IsZero() || end.After(to) {
			end = to
		}
		d -= max(end.Sub(begin), 0)
	}
	return d
}

// closing bounds rtbeat's last steps (closeTimeout in beater/shutdown.go). It reads no acknowledgements in them.
const closing = 1500 * time.Millisecond

// sealed is the time from which an ended process may have missed acknowledgements.
func (p *process) sealed() time.Time {
	if strings.HasPrefix(p.how, sigterm) {
		return p.ended.Add(-closing)
	}
	return p.ended
}

// newWorld starts everything, with a process at rest and no sender yet. prepare changes settings before the process starts.
func newWorld(t testing.TB, m mode, name string, seed uint64, prepare ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, name: string(m) + " " + name, rng: rand.New(rand.NewPCG(seed, 0)), stored: m == durable}
	t.Logf("%s: seed %d", w.name, seed)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s failed, repeat it with %s=%d; answers %v", w.name, seedEnv, seed, w.tally.Counts())
		}
	})
	w.ledger = harness.NewLedger(t)
	w.front = startProxy(t, false, func(string, ...any) {})
	w.back = startProxy(t, true, w.note)
	w.startSink("127.0.0.1:0", lumbersink.Immediate())
	w.back.forward(w.sink().Addr(), 0)
	w.settings = harness.Settings{
		Sink: w.back.addr,
		Home: t.TempDir(),
		Rtbeat: map[string]any{
			"sources": sourcesOfKinds(),
			"timeout": ackTimeout.String(), "shutdown_timeout": shutdownBudget.String(), "read_timeout": "2s",
		},
		Output: map[string]any{
			"timeout": outputTimeout.String(), "backoff.init": "50ms", "backoff.max": "200ms",
			"bulk_max_size": []int{16, 64, 512}[w.rng.IntN(3)],
		},
	}
	if w.stored {
		w.ledger.Stored()
		w.settings.Rtbeat["max_body_bytes"] = "1MiB"
		w.settings.Rtbeat["durable.max_bytes"] = "64MiB" // segments of the least size: 4 MiB
	}
	for _, f := range prepare {
		f(w)
	}
	w.start()
	w.warmUp()
	return w
}

// note records an event for the report.
func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, harness.Note{At: time.Now(), Text: fmt.Sprintf(format, args...)})
}

// start runs the program. Connections accepted from now on belong to this process.
func (w *world) start() {
	w.t.Helper()
	n := len(w.procs)
	w.back.forward(w.sink().Addr(), n)
	w.procs = append(w.procs, &process{started: time.Now()})
	if w.before != nil {
		w.before.Forget() // the logs of the last two are enough
	}
	w.before, w.beat = w.beat, harness.StartBeat(w.t, w.settings)
	w.front.forward(w.beat.Addr, n)
	w.note("process %d listens", n)
}

// gone records the end of the current process.
func (w *world) gone(how string) {
	p := w.procs[len(w.procs)-1]
	p.ended, p.how = time.Now(), how
	w.note("process %d is gone: %s", len(w.procs)-1, how)
}

// warmUp delivers one message, and reads the figures of the process at rest.
func (w *world) warmUp() {
	w.t.Helper()
	a := w.ledger.Post(w.t.Context(), w.beat.Addr, harness.NewBatch(w.name+"-warm-up", 1))
	require.NoError(w.t, a.Err)
	require.Equal(w.t, 200, a.Code, "%s", a)
	w.ledger.CloseIdle()
	w.rest = figuresOf(w.beat)
}

// load starts the senders.
func (w *world) load(senders, maxBatch int) { w.loadFrom(senders, senders, maxBatch, false) }

// loadFrom starts senders that share the messages of a number of producers.
func (w *world) loadFrom(producers, senders, maxBatch int, fates bool) {
	for n := range senders {
		s := &sender{
			name: fmt.Sprintf("%s-s%d", w.name, n), rng: rand.New(rand.NewPCG(w.rng.Uint64(), 0)),
			ledger: w.ledger, addr: w.front.addr, tally: &w.tally, maxBatch: maxBatch,
			producer: fmt.Sprintf("%s-p%d", w.name, n%producers), fates: fates,
			nameless: w.stored && !fates, // two senders' copies of a nameless message look alike
		}
		if producers == senders && !fates { // the same message of two requests with ids is two messages
			s.kind = idKinds[(n+w.rng.IntN(2))%len(idKinds)]
		}
		s.feeding.Store(true)
		w.senders = append(w.senders, s)
		w.running.Go(func() { s.run(w.t.Context()) })
	}
	w.t.Cleanup(w.running.Wait) // the test's context ends before
	w.flow()
}

// flow waits until each sender has a 200 for an attempt that began after now.
func (w *world) flow() {
	w.t.Helper()
	now := time.Now().UnixNano()
	w.await(recoverWithin, "a 200 for each sender", func() bool {
		return !slices.ContainsFunc(w.senders, func(s *sender) bool { return s.lastOK.Load() < now })
	})
}

// oks waits for n more 200s.
func (w *world) oks(n int) {
	w.t.Helper()
	before := w.tally.Counts()["200"]
	w.await(recoverWithin, fmt.Sprintf("%d more 200s", n), func() bool { return w.tally.Counts()["200"] >= before+n })
}

// others waits for n more attempts without a 200.
func (w *world) others(n int) {
	w.t.Helper()
	count := func() (sum int) {
		for code, n := range w.tally.Counts() {
			if code != "200" {
				sum += n
			}
		}
		return sum
	}
	before := count()
	w.await(effectWithin, "attempts that fail", func() bool { return count() >= before+n })
}

func (w *world) await(within time.Duration, what string, holds func() bool) {
	w.t.Helper()
	harness.Await(w.t, within, what, holds)
}

// sink is the running sink, or the last one.
func (w *world) sink() *lumbersink.Sink { return w.sinks[len(w.sinks)-1] }

// startSink runs a new sink.
func (w *world) startSink(addr string, p lumbersink.Policy) {
	w.t.Helper()
	sink, err := lumbersink.Listen(addr, harness.SinkTimes(lumbersink.WithPolicy(p), lumbersink.WithKeepAlive(keepAlive))...)
	require.NoError(w.t, err)
	w.sinks = append(w.sinks, sink)
	w.t.Cleanup(func() { _ = sink.Close() }) // settle checks Err
	w.note("sink %d listens", len(w.sinks)-1)
}

// killSink ends the sink with all its connections, and returns its address for the next sink.
func (w *world) killSink() (addr string) {
	w.t.Helper()
	require.NoError(w.t, w.sink().Close())
	w.note("sink %d is gone", len(w.sinks)-1)
	return w.sink().Addr()
}

// unacked is the number of events that the sink holds back.
func (w *world) unacked() int { return w.sink().Received() - w.sink().Acked() }
