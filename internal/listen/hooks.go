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
// buffer (wroteFrame in net/http/h2_bundle.go). So it counts as waiting answerGrace after its last request is done, as every
// connection does without this hook.
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
	if c.in != &b.answered { // a request that was never complete does not shorten the wait
		return
	}
	c.leave()
	b.waiting.push(c, b.now())
	b.freed.Broadcast()
}

// HeadersTimedOut tells, in the hook http.Server.ConnState for StateActive, that a request has begun and its headers timed out.
// net/http calls the hook when it has read the headers, or failed to (serve in net/http/server.go). It then closes such a
// connection, with a 400 where it has an incomplete line. Before that, the caller may write an answer to outer and half-close
// it. It is false on HTTP/2. It is also false where the beginning of a request arrived in one packet with the request before:
// net/http does not call the hook then.
func (*Bound) HeadersTimedOut(outer net.Conn) bool {
	if secure, ok := outer.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol == http2 {
		return false
	}
	c := bounded(outer)
	return c != nil && c.timedOut.Load()
}

// Complete says that a request has arrived in whole, and waits for its answer. Until done, and answerGrace after it, its
// connection is not displaced. On HTTP/2 that holds for the connection as long as one of its requests is complete.
//
// ok is false when the connection has been closed already, by the bound or by the server. Its client cannot get an answer, and
// will repeat the request, so that nothing of it may be published. When ok is true, call done before the answer is written.
// Further calls do nothing.
//
// ctx is the context of the request. Without Bound.ConnContext or a bound, ok is true.
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
			b.freed.Broadcast() // a waiting Accept has to wait for the end of answerGrace now
		}
	}, true
}
