//go:build chaos

package chaos

import (
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/stretchr/testify/require"
)

// fault is a failure to inject. Most have two forms: one before the receiver has the bytes, and one after, when only the answer is
// lost.
type fault struct {
	name string
	// breaks says that connections to the sink may end, which explains copies.
	breaks bool
	// start returns when the fault has taken effect. stop ends the fault.
	start func(w *world) (stop func())
}

// strike runs a fault, and waits until every sender has a 200 again. The faults of during run while it has effect.
func (w *world) strike(f fault, during ...fault) {
	w.t.Helper()
	w.note("%s: begins", f.name)
	if f.breaks {
		w.back.blame(f.name)
	}
	stop := f.start(w)
	sum.count(f.name)
	w.note("%s: has taken effect", f.name)
	for _, other := range during {
		w.note("%s: begins", other.name)
		end := other.start(w)
		sum.count(other.name)
		end()
		w.note("%s: is over", other.name)
	}
	stop()
	w.note("%s: is over", f.name)
	w.flow()
	w.back.blame("")
}

// newHit returns a channel, and a function that closes it.
func newHit() (hit chan struct{}, now func()) {
	hit = make(chan struct{})
	return hit, sync.OnceFunc(func() { close(hit) })
}

// wait waits until a fault has hit a connection. A fault without effect tests nothing.
func (w *world) wait(hit <-chan struct{}) {
	w.t.Helper()
	select {
	case <-hit:
	case <-time.After(effectWithin):
		require.FailNow(w.t, "the fault had no effect")
	}
}

// hold holds back the bytes of one direction from the next match on, and waits for a match. release lets them pass, if the
// connection is still open.
func (w *world) hold(p *proxy, dir stream.Direction, held func(p []byte) bool) (release func()) {
	w.t.Helper()
	hit, now := newHit()
	free := make(chan struct{})
	p.play(dir, func(l *link, b []byte) ([]byte, verdict) {
		if held(b) {
			now()
			select {
			case <-free:
			case <-l.done:
			}
		}
		return b, pass
	})
	release = sync.OnceFunc(func() {
		p.play(dir, nil)
		close(free)
	})
	w.t.Cleanup(release) // also after a failed wait
	w.wait(hit)
	return release
}

// lose drops the bytes of one direction. stop resets the connections that are still open: their streams have gaps.
func (w *world) lose(p *proxy, dir stream.Direction) (stop func()) {
	w.t.Helper()
	hit, now := newHit()
	p.play(dir, func(*link, []byte) ([]byte, verdict) {
		now()
		return nil, pass
	})
	w.wait(hit)
	return func() {
		p.cut(rst, "bytes were lost")
		p.play(dir, nil)
	}
}

// once applies a script until its first verdict, and waits for that.
func (w *world) once(p *proxy, dir stream.Direction, f script) {
	w.t.Helper()
	hit, now := newHit()
	p.play(dir, func(l *link, b []byte) ([]byte, verdict) {
		select {
		case <-hit:
			return b, pass
		default:
		}
		out, v := f(l, b)
		if v != pass || len(out) != len(b) {
			now()
		}
		return out, v
	})
	w.wait(hit)
	p.play(dir, nil)
}

// latency delays both directions of a proxy, until senders have had 200s.
func (w *world) latency(p *proxy) (stop func()) {
	w.t.Helper()
	up := p.add("latency", stream.Upstream, map[string]any{"latency": 60, "jitter": 40})
	down := p.add("latency", stream.Downstream, map[string]any{"latency": 60, "jitter": 40})
	w.oks(2 * len(w.senders))
	return func() { up(); down() }
}

// slowBytes sends the upstream bytes in small pieces at a low rate in kB/s, until senders have had 200s.
func (w *world) slowBytes(p *proxy, size, rate int) (stop func()) {
	w.t.Helper()
	sliced := p.add("slicer", stream.Upstream, map[string]any{"average_size": size, "size_variation": size / 3, "delay": 100})
	slow := p.add("bandwidth", stream.Upstream, map[string]any{"rate": rate})
	w.oks(2 * len(w.senders))
	return func() { sliced(); slow() }
}

// anything is a condition for hold.
func anything([]byte) bool { return true }

// acks is a condition for hold: acknowledgements, not keep-alives.
func acks(frame []byte) bool { return ackCount(frame) > 0 }

// nothing ends a fault that ends by itself.
func nothing() {}
