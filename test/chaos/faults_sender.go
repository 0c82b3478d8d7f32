//go:build chaos

package chaos

import (
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// These two faults only delay.
const (
	slowAnswers  = "latency and jitter to the senders"
	slowRequests = "slow bytes from the senders"
)

// senderFaults concern the senders, and their connections to the process. Only the fault that holds windows back explains copies:
// the process may close that connection after its timeout.
var senderFaults = []fault{
	{"reset, request not taken", false, func(w *world) func() {
		w.once(w.front, stream.Upstream, func(_ *link, p []byte) ([]byte, verdict) { return p[:len(p)/2], rst })
		return nothing
	}},
	{"reset, answer lost", false, func(w *world) func() {
		w.once(w.front, stream.Downstream, func(*link, []byte) ([]byte, verdict) { return nil, rst })
		return nothing
	}},
	{"blackhole, requests lost", false, func(w *world) func() { return w.senderBlackhole(stream.Upstream) }},
	{"blackhole, answers lost", false, func(w *world) func() { return w.senderBlackhole(stream.Downstream) }},
	{slowAnswers, false, func(w *world) func() { return w.latency(w.front) }},
	{slowRequests, false, func(w *world) func() { return w.slowBytes(w.front, 256, 60) }},
	{"half-close inside a request", false, func(w *world) func() {
		w.once(w.front, stream.Upstream, func(_ *link, p []byte) ([]byte, verdict) { return p[:len(p)/2], half })
		return nothing
	}},
	{"half-close while waiting", false, func(w *world) func() {
		w.sink().SetPolicy(lumbersink.Delay(200 * time.Millisecond))
		w.once(w.front, stream.Upstream, func(_ *link, p []byte) ([]byte, verdict) { return p, half })
		return func() { harness.RecoverSink(w.sink()) }
	}},
	{"half-close inside an answer", false, func(w *world) func() {
		w.once(w.front, stream.Downstream, func(_ *link, p []byte) ([]byte, verdict) { return p[:len(p)/2], half })
		return nothing
	}},
	{"answer lost", false, func(w *world) func() {
		w.once(w.front, stream.Downstream, func(*link, []byte) ([]byte, verdict) { return nil, fin })
		return nothing
	}},
	{"sender gone, events not received", true, func(w *world) func() {
		release := w.hold(w.back, stream.Upstream, anything)
		w.leave()
		return release
	}},
	{"sender gone, events received", false, func(w *world) func() {
		w.holdAcks(lumbersink.Never())
		w.leave()
		return func() { harness.RecoverSink(w.sink()) }
	}},
}

// leave cancels the request of every waiting sender.
func (w *world) leave() {
	w.t.Helper()
	w.await(effectWithin, "senders that wait", func() bool { return w.beat.Metric("rtbeat_in_flight_requests") > 0 })
	before := w.tally.Counts()["error"]
	w.await(effectWithin, "senders that leave", func() bool {
		for _, s := range w.senders {
			(*s.cancel.Load())()
		}
		return w.tally.Counts()["error"] > before
	})
}

// senderBlackhole loses all bytes of one direction until a request of a sender times out.
func (w *world) senderBlackhole(dir stream.Direction) (stop func()) {
	w.t.Helper()
	timedOut := w.senderTimeout()
	stop = w.lose(w.front, dir)
	timedOut()
	return stop
}

// senderTimeout returns a function that waits for a sender's timeout from now on.
func (w *world) senderTimeout() (wait func()) {
	before := w.tally.Counts()["error"]
	return func() {
		w.t.Helper()
		w.await(effectWithin, "a sender's timeout", func() bool { return w.tally.Counts()["error"] > before })
	}
}
