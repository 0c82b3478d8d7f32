package listen

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

// connKey is where ConnContext leaves the connection.
type connKey struct{}

// ConnContext is the hook http.Server.ConnContext: it lets Complete find the connection of a request. A connection that
// did not come through a listener of a Bound is left alone. net/http calls it before the next Accept, so it does not wait.
func (b *Bound) ConnContext(ctx context.Context, outer net.Conn) context.Context {
	if c := bounded(outer); c != nil {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// ConnState is the hook http.Server.ConnState: when an HTTP/1 connection becomes idle, its answer has left (finishRequest
// in net/http/server.go), and it waits for the next request. An HTTP/2 connection is called idle while the last frame is
// still in its buffer (wroteFrame in net/http/h2_bundle.go), so it counts as waiting a second after its last request is
// done, and so does every connection without this hook.
func (b *Bound) ConnState(outer net.Conn, state http.ConnState) {
	if state != http.StateIdle {
		return
	}
	c := bounded(outer)
	if c == nil {
		return
	}
	if secure, ok := outer.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol == http2 {
		c.streams.Store(true)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.in != &b.answered { // a request that ended before it was complete makes nobody younger
		return
	}
	c.leave()
	b.waiting.push(c, b.now())
	b.room.Broadcast()
}

// HeadersTimedOut tells, in the hook http.Server.ConnState for StateActive, that a request has begun and its headers did
// not come in time. net/http calls the hook when it has read the headers or failed to (serve in net/http/server.go), and
// closes such a connection, with a 400 of its own where the line it has is no header yet; before that the caller may write
// an answer to outer and half-close it. It is never so on HTTP/2, and not where all that came of a request came in one
// piece behind an earlier one: net/http does not call the hook then.
func (*Bound) HeadersTimedOut(outer net.Conn) bool {
	if secure, ok := outer.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol == http2 {
		return false
	}
	c := bounded(outer)
	return c != nil && c.tired.Load()
}

// Complete says that a request has been received completely, its body read to the end, and is to be answered: from here
// until done its connection is not closed to make room for another, nor in the second that the answer may take to leave.
// On HTTP/2 that holds for the connection as long as one of its requests is complete.
//
// ok is false when the connection has been closed already, by the bound or by the server: the client cannot get an
// answer any more, takes the request for failed, and will repeat it, so nothing may come of it. done must be
// called when ok is true, once the answer is about to be written; again does nothing, and neither does it when ok is false.
//
// ctx is that of the request. Where its server has no Bound.ConnContext, or the connection no bound, ok is true.
func (*Bound) Complete(ctx context.Context) (done func(), ok bool) {
	c, found := ctx.Value(connKey{}).(*conn)
	if !found {
		return func() {}, true
	}
	b := c.bound
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.gone {
		return func() {}, false
	}
	c.leave()
	c.requests++
	called := false // guarded by b.mu
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if called {
			return
		}
		called = true
		c.requests--
		if c.requests == 0 && !c.gone {
			b.answered.push(c, b.now())
			b.room.Broadcast() // who waits for a place must wake up when the second is over
		}
	}, true
}
