package inflight

import "time"

// A window costs the output as much as a dozen events: go-lumber makes a compressor of half a megabyte for each. So a few
// messages in line wait for more, for a moment, while the output owes acknowledgements, as small segments wait in TCP
// (RFC 896). With nothing else in the pipeline nobody waits. Where nothing else runs, the runtime makes a millisecond of the
// half (netpoll_epoll.go counts in milliseconds).
const (
	gatherFor  = 500 * time.Microsecond // counted from when the first batch was put in line
	gatherFrom = 2                      // events in the pipeline; libbeat has two windows on their way
	gatherTo   = 16                     // messages in line
)

// gathering is the state of that. The registry's lock guards it.
type gathering struct {
	messages int  // in line
	over     bool // until the line is empty again
	armed    bool // a timer will look again
}

// readyLocked tells whether Take has something to give out.
func (r *Registry) readyLocked() bool {
	g := &r.gathering
	if r.line.Len() == 0 {
		g.over = false
		return false
	}
	if g.over || r.events < gatherFrom || g.messages >= gatherTo {
		g.over = true
		return true
	}
	first := r.line.Front().Value.(*BatchAck) //nolint:forcetypeassert // the list holds nothing else
	left := first.entered + gatherFor - r.now()
	if left <= 0 {
		g.over = true
		return true
	}
	if !g.armed {
		g.armed = true
		time.AfterFunc(left, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			g.armed = false
			r.lineReady.Broadcast()
		})
	}
	return false
}
