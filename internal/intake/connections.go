package intake

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// farewell is how long, from the beginning of Drain, connections may stay open on which no request waits. A sender that
	// uses one within that time is answered 503 and told to close it; HTTP/1 has no other way to tell.
	farewell = 500 * time.Millisecond
	// lastLooks bounds how long the last look at those that are left may take.
	lastLooks = 50 * time.Millisecond
)

// visitors are the connections that are open.
type visitors struct {
	mu   sync.Mutex
	open map[net.Conn]struct{}
	none chan struct{} // made by await; closed when open becomes empty
}

func newVisitors() *visitors { return &visitors{open: make(map[net.Conn]struct{})} }

// note is told of each change of a connection, as http.Server.ConnState is.
func (v *visitors) note(conn net.Conn, state http.ConnState) {
	switch state { //nolint:exhaustive // the others are of requests
	case http.StateNew:
		v.mu.Lock()
		defer v.mu.Unlock()
		v.open[conn] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.open, conn)
		if len(v.open) == 0 && v.none != nil {
			close(v.none)
			v.none = nil
		}
	}
}

// await waits until no connection is open, or ctx ends.
func (v *visitors) await(ctx context.Context) {
	for {
		v.mu.Lock()
		if len(v.open) == 0 {
			v.mu.Unlock()
			return
		}
		if v.none == nil {
			v.none = make(chan struct{})
		}
		none := v.none
		v.mu.Unlock()
		select {
		case <-none:
		case <-ctx.Done():
			return
		}
	}
}

// each calls f for every connection that is open.
func (v *visitors) each(f func(net.Conn)) {
	v.mu.Lock()
	conns := make([]net.Conn, 0, len(v.open))
	for conn := range v.open {
		conns = append(conns, conn)
	}
	v.mu.Unlock()
	for _, conn := range conns {
		f(conn)
	}
}

// sayGoodbye lets the senders on open connections learn of the stop: by an answer until the time is up, and by a last look at
// each connection then. A request that comes between that look and the closing finds no answer; on HTTP/1 that
// cannot be ruled out (RFC 9112, 9.5), only made rare.
func (s *Server) sayGoodbye(ctx context.Context, until time.Time) {
	within, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	s.visitors.await(within)

	s.visitors.each(s.connections.LastCall)
	looks, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLooks)
	defer cancel()
	s.visitors.await(looks)
}
