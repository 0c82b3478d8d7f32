package intake

import (
	"context"
	"math"
	"net/http"
	"time"
)

// abortGrace is how long connections may take to end after the last request. rtbeat writes the last answers in that time, also the
// answers to the requests that Drain cut short.
const abortGrace = 250 * time.Millisecond

// closeAfter is how long idle connections stay open from the beginning of Drain. rtbeat answers a request within that time with
// 503 and Connection: close; HTTP/1 has no other way to tell the sender. A request that arrives while its connection is closed
// gets no answer, which on HTTP/1 is rare, but cannot be ruled out (RFC 9112, 9.5).
const closeAfter = 500 * time.Millisecond

// Drain closes the listener, refuses new batches on open connections, and waits for the requests to sources that are being served.
// Connections in the socket's backlog are not accepted any more. Another process that holds the socket accepts them. Open
// connections may carry one more request until closeAfter.
//
// When ctx ends first, Drain answers the waiting requests with 503, closes connections that are not done within abortGrace, and
// returns the cause of ctx. http.Server.Shutdown alone would close a connection on which a sender is writing, without an answer.
func (s *Server) Drain(ctx context.Context) error {
	s.advance(phaseDraining)
	idle, cancel := context.WithTimeout(ctx, closeAfter)
	defer cancel()
	s.mu.Lock()
	s.drained = true
	if s.listener != nil {
		_ = s.listener.Close() // an error means that it is closed already
	}
	s.mu.Unlock()
	err := s.awaitServed(ctx)
	if err == nil {
		s.handler.Connections.CloseIdle(idle)
	}
	s.abort(errStopping)

	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortGrace)
	defer cancel()
	if s.http.Shutdown(grace) != nil {
		_ = s.http.Close() // its errors are of closing connections
	}
	return err
}

// track counts the requests that next serves, until Drain waits for them.
func (s *Server) track(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if s.serving.TryAcquire(1) {
			defer s.serving.Release(1)
		}
		next.ServeHTTP(w, req)
	})
}

// awaitServed waits until every request that began before it has ended (nil), or ctx ends (its cause).
func (s *Server) awaitServed(ctx context.Context) error {
	if s.serving.Acquire(ctx, math.MaxInt64) != nil {
		return context.Cause(ctx)
	}
	s.serving.Release(math.MaxInt64) // for another Drain
	return nil
}
