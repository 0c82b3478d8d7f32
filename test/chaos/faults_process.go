//go:build chaos

package chaos

import (
	"syscall"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// The summary counts faults by these first words of their names.
const (
	sigterm = "SIGTERM"
	sigkill = "SIGKILL"
)

var (
	term = fault{sigterm, false, func(w *world) func() {
		w.terminate(sigterm)
		return w.start
	}}
	kill = fault{sigkill, false, func(w *world) func() {
		w.kill(sigkill)
		return w.start
	}}
)

// processFaults end or stop the process.
var processFaults = []fault{
	term,
	{"SIGTERM, acks are late", false, func(w *world) func() {
		w.holdAcks(lumbersink.Delay(shutdownBudget / 3))
		w.terminate("SIGTERM, acks are late")
		return w.restart
	}},
	{"SIGTERM, acks never come", false, func(w *world) func() {
		w.silence()
		w.terminate("SIGTERM, acks never come")
		return w.restart
	}},
	kill,
	{"SIGKILL, windows not received", false, func(w *world) func() {
		release := w.hold(w.back, stream.Upstream, anything)
		w.kill("SIGKILL, windows not received")
		return func() {
			w.back.cut(rst, "its process is dead") // the held windows must not arrive
			release()
			w.start()
		}
	}},
	{"SIGKILL, windows received", false, func(w *world) func() {
		w.holdAcks(lumbersink.Never())
		w.kill("SIGKILL, windows received")
		return w.restart
	}},
	{"SIGKILL, acks on their way", false, func(w *world) func() {
		release := w.hold(w.back, stream.Downstream, acks)
		w.kill("SIGKILL, acks on their way")
		return func() {
			release()
			w.start()
		}
	}},
	// A connection survives a short stop. A long stop exceeds every timeout.
	{"SIGSTOP, short", false, func(w *world) func() {
		resume := w.pause()
		harness.Pause(w.t.Context(), outputTimeout/8)
		return resume
	}},
	{"SIGSTOP, long", true, func(w *world) func() {
		timedOut := w.senderTimeout()
		resume := w.pause()
		timedOut()
		return resume
	}},
}

// restart ends a stall of the sink, and starts the process again.
func (w *world) restart() {
	w.t.Helper()
	harness.RecoverSink(w.sink())
	w.start()
}

// pause stops the process until resume is called.
func (w *world) pause() (resume func()) {
	w.t.Helper()
	p, beat := w.procs[len(w.procs)-1], w.beat
	p.stops = append(p.stops, span{from: time.Now()})
	beat.Signal(syscall.SIGSTOP)
	return func() {
		beat.Signal(syscall.SIGCONT)
		p.stops[len(p.stops)-1].to = time.Now()
	}
}

// terminate sends SIGTERM. The process must end within its budget, also with a stalled sink.
func (w *world) terminate(how string) {
	w.t.Helper()
	const slack = 6 * time.Second
	w.beat.Terminate()
	code, _ := w.beat.WaitExit(shutdownBudget + slack)
	require.Zero(w.t, code, "exit code")
	w.gone(how)
}

// kill sends SIGKILL.
func (w *world) kill(how string) {
	w.t.Helper()
	w.beat.Kill()
	w.gone(how)
}
