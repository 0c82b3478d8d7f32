package listen

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

// connKey is the key of the connection in a context.
type connKey struct{}

// ConnContext is the hook http.Server.ConnContext: it lets Complete find the connection of a request. It does nothing for a
// connection that no Bound counts. net/http calls it before the next Accept, so it does not wait.
func (b *Bound) ConnContext(ctx context.Context, outer net.Conn) context.Context {
	if c := bounded(outer); c != nil {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// ConnState is the hook http.Server.ConnState. An HTTP/1 connection becomes idle when its answer has been written (finishRequest
// in net/http/server.go): then it counts as waiting. An HTTP/2 connection becomes idle while the last frame is still in its
// buffer (wroteFrame in net/http/h2_bundle.go). So it counts as waiting only answerGrace after its last request is done.
func (b *Bound) ConnState(outer net.Conn, state http.ConnState) {
	if state != http.StateIdle && state != http.StateActive {
		return
	}
	c := bounded(outer)
	if c == nil {
		return
	}
	c.isActive.Store(state == http.StateActive)
	if state == http.StateActive {
		return
	}
	if isHTTP2(outer) {
		c.isHTTP2.Store(true)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.inList != &b.answered { // a request that was never complete does not shorten the wait
		return
	}
	c.leaveList()
	b.push(&b.waiting, c)
	b.freed.Broadcast()
}

// HeadersTimedOut tells that a request has begun and its headers timed out. Call it in the hook http.Server.ConnState for
// StateActive. net/http calls the hook when it has read the headers, or failed to (serve in net/http/server.go). It then closes
// the connection, after a 400 if it has an incomplete line. Before that, the caller may write an answer to outer and half-close
// it.
//
// It is false on HTTP/2, and when the beginning of a request arrived in one packet with the request before: net/http does not
// call the hook then.
func (*Bound) HeadersTimedOut(outer net.Conn) bool {
	c := bounded(outer)
	return c != nil && !isHTTP2(outer) && c.timedOut.Load()
}

func isHTTP2(outer net.Conn) bool {
	secure, isTLS := outer.(*tls.Conn)
	return isTLS && secure.ConnectionState().NegotiatedProtocol == http2
}
