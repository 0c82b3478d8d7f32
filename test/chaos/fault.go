//go:build chaos

package chaos

import (
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/stretchr/testify/require"
)

// fault is something that goes wrong. Where it matters there are two of a kind: one that strikes before the other side
// has taken anything, and one that strikes when it has and only the answer is lost.
type fault struct {
	name string
	// breaks says that connections to the sink may end, which is what explains copies.
	breaks bool
	// start returns when the fault has taken effect, with what ends it.
	start func(w *world) (stop func())
}

// strike runs a fault from its beginning until all is well again. What else is to happen while it is at work comes as
// during.
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

// hit is closed by the first that it meets.
type hit struct {
	once sync.Once
	met  chan struct{}
}

func newHit() *hit { return &hit{met: make(chan struct{})} }

func (h *hit) now() { h.once.Do(func() { close(h.met) }) }

// wait is for a fault to meet somebody: one that meets nobody tests nothing.
func (w *world) wait(h *hit) {
	w.t.Helper()
	select {
	case <-h.met:
	case <-time.After(effectWithin):
		require.FailNow(w.t, "the fault met nobody")
	}
}

// hold keeps everything in one direction back from the next bytes on, and waits until there are some. What is held
// passes when the connection is still there at the end.
func (w *world) hold(p *proxy, dir stream.Direction, held func(p []byte) bool) (release func()) {
	w.t.Helper()
	h, free := newHit(), make(chan struct{})
	p.play(dir, func(l *link, b []byte) ([]byte, verdict) {
		if held(b) {
			h.now()
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
	// A failed wait must not leave a pipeline behind that is held for ever.
	w.t.Cleanup(release)
	w.wait(h)
	return release
}

// lose lets nothing pass in one direction. A connection that lost bytes cannot go on as if nothing had been, so those
// that are still open in the end are reset.
func (w *world) lose(p *proxy, dir stream.Direction) (stop func()) {
	w.t.Helper()
	h := newHit()
	p.play(dir, func(*link, []byte) ([]byte, verdict) {
		h.now()
		return nil, pass
	})
	w.wait(h)
	return func() {
		p.cut(rst, "bytes were lost")
		p.play(dir, nil)
	}
}

// once applies a script to the first bytes for which it has a verdict, and waits for that.
func (w *world) once(p *proxy, dir stream.Direction, f script) {
	w.t.Helper()
	h := newHit()
	p.play(dir, func(l *link, b []byte) ([]byte, verdict) {
		select {
		case <-h.met:
			return b, pass
		default:
		}
		out, v := f(l, b)
		if v != pass || len(out) != len(b) {
			h.now()
		}
		return out, v
	})
	w.wait(h)
	p.play(dir, nil)
}

// anything is a condition for hold.
func anything([]byte) bool { return true }

// acks is a condition for hold: acknowledgements, not keep-alives.
func acks(frame []byte) bool { return ackCount(frame) > 0 }

// nothing ends a fault that is over by itself.
func nothing() {}
