package intake

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// closeAfter is how long idle connections stay open from the beginning of Drain. rtbeat answers a request within that time with
	// 503 and Connection: close; HTTP/1 has no other way to tell the sender.
	closeAfter = 500 * time.Millisecond
	// lastCalls bounds how long the last calls may take.
	lastCalls = 50 * time.Millisecond
)

// openConns are the open connections.
type openConns struct {
	mu   sync.Mutex
	open map[net.Conn]struct{}
	none chan struct{} // made by await; closed when open becomes empty
}

func newOpenConns() *openConns { return &openConns{open: make(map[net.Conn]struct{})} }

// note is a hook of http.Server.ConnState.
func (v *openConns) note(conn net.Conn, state http.ConnState) {
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
func (v *openConns) await(ctx context.Context) {
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
func (v *openConns) each(f func(net.Conn)) {
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

// closeIdle waits for the open connections to end, and closes those without a request when the time is up. A request that arrives
// while its connection is closed gets no answer. On HTTP/1 that can be made rare, but not ruled out (RFC 9112, 9.5).
func (s *Server) closeIdle(ctx context.Context, until time.Time) {
	within, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	s.conns.await(within)

	s.conns.each(s.connections.LastCall)
	calls, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCalls)
	defer cancel()
	s.conns.await(calls)
}
