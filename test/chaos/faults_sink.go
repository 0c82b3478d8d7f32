//go:build chaos

package chaos

import (
	"slices"

	"github.com/Shopify/toxiproxy/v2/stream"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// sinkFaults concern the sink, and the process's connections to it.
var sinkFaults = []fault{
	{"reset, window not received", true, func(w *world) func() {
		release := w.hold(w.back, stream.Upstream, anything)
		w.back.cut(rst, "reset")
		return release
	}},
	{"reset, window received", true, func(w *world) func() {
		release := w.hold(w.back, stream.Downstream, acks)
		w.back.cut(rst, "reset")
		return release
	}},
	{"blackhole, windows lost", true, func(w *world) func() { return w.blackhole(stream.Upstream) }},
	{"blackhole, acks lost", true, func(w *world) func() { return w.blackhole(stream.Downstream) }},
	{"latency and jitter to the sink", false, func(w *world) func() { return w.latency(w.back) }},
	{"slow bytes to the sink", false, func(w *world) func() { return w.slowBytes(w.back, 64, 30) }},
	{"half-close to the sink", true, func(w *world) func() {
		w.once(w.back, stream.Upstream, func(*link, []byte) ([]byte, verdict) { return nil, half })
		return nothing
	}},
	{"half-close from the sink, window received", true, func(w *world) func() {
		w.once(w.back, stream.Downstream, onAck(func(int) ([]byte, verdict) { return nil, half }))
		return nothing
	}},
	{"cut inside a window", true, func(w *world) func() {
		// Every window has more bytes: a few hundred at least, compressed.
		w.once(w.back, stream.Upstream, func(_ *link, p []byte) ([]byte, verdict) { return p[:min(len(p)-1, 1+w.pick(60))], fin })
		return nothing
	}},
	{"ack lost", true, func(w *world) func() {
		w.once(w.back, stream.Downstream, onAck(func(int) ([]byte, verdict) { return nil, fin }))
		return nothing
	}},
	{"partial ack, then cut", true, func(w *world) func() {
		w.once(w.back, stream.Downstream, onAck(func(n int) ([]byte, verdict) {
			if n < 2 {
				return ackOf(n), pass
			}
			return ackOf(1 + w.pick(n-1)), fin
		}))
		return nothing
	}},
	{"partial ack, then the rest", false, func(w *world) func() {
		w.once(w.back, stream.Downstream, onAck(func(n int) ([]byte, verdict) {
			if n < 2 {
				return ackOf(n), pass
			}
			return append(ackOf(1+w.pick(n-1)), ackOf(n)...), pass
		}))
		return nothing
	}},
	{"late ack", false, func(w *world) func() {
		w.silence()
		return func() { harness.RecoverSink(w.sink()) }
	}},
	{"ack never", true, func(w *world) func() {
		w.silence()
		return func() {
			w.back.cut(rst, "never acknowledged")
			harness.RecoverSink(w.sink())
		}
	}},
	{"sink killed, windows not received", true, func(w *world) func() {
		release := w.hold(w.back, stream.Upstream, anything)
		addr := w.killSink()
		release()
		w.notice()
		return func() { w.startSink(addr, lumbersink.Immediate()) }
	}},
	{"sink killed, windows not acknowledged", true, func(w *world) func() {
		w.silence()
		addr := w.killSink()
		w.notice()
		return func() { w.startSink(addr, lumbersink.Immediate()) }
	}},
}

// blackhole loses all bytes of one direction until the process closes a connection.
func (w *world) blackhole(dir stream.Direction) (stop func()) {
	w.t.Helper()
	known, seen := w.back.opened(), len(w.back.all())
	stop = w.lose(w.back, dir)
	w.await(effectWithin, "a closed connection", func() bool {
		closed := func(l *link) bool { return !l.isOpen() }
		return slices.ContainsFunc(known, closed) || slices.ContainsFunc(w.back.all()[seen:], closed)
	})
	return stop
}

// notice waits until senders see the outage. In durable mode they see none, and have more 200s.
func (w *world) notice() {
	w.t.Helper()
	if w.stored {
		w.oks(2 * len(w.senders))
		return
	}
	w.others(1)
}

// silence makes the sink receive and not acknowledge, until every sender has a 504 and waits again.
func (w *world) silence() {
	w.t.Helper()
	w.holdAcks(lumbersink.Never())
	if w.stored {
		w.notice()
		return
	}
	before := w.tally.Counts()["504"]
	w.await(effectWithin, "504s", func() bool { return w.tally.Counts()["504"] >= before+len(w.senders) })
	w.await(effectWithin, "senders that wait", func() bool {
		return int(w.beat.Metric("rtbeat_in_flight_requests")) == len(w.senders)
	})
	w.note("the sink holds %d events back", w.unacked())
}

// holdAcks sets a policy that delays acknowledgements, and waits until the sink holds back events.
func (w *world) holdAcks(p lumbersink.Policy) {
	w.t.Helper()
	w.sink().SetPolicy(p)
	w.await(effectWithin, "events that the sink holds back", func() bool { return w.unacked() > 0 })
}

// onAck makes a script for acknowledgements. Keep-alives pass.
func onAck(f func(n int) ([]byte, verdict)) script {
	return func(_ *link, frame []byte) ([]byte, verdict) {
		if n := ackCount(frame); n > 0 {
			return f(n)
		}
		return frame, pass
	}
}

// pick is a random number below n, for any goroutine.
func (w *world) pick(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}
