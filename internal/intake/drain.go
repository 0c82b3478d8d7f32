package intake

import (
	"context"
	"net/http"
	"time"
)

// abortGrace is how long connections may take to end after the last request. rtbeat writes the last answers in that time, also the
// answers to the requests that Drain cut short.
const abortGrace = 250 * time.Millisecond

// closeAfter is how long idle connections stay open from the beginning of Drain. A request within that time is served like any
// other, and its answer closes the connection. A request that arrives while its connection is closed gets no answer, which on
// HTTP/1 is rare, but cannot be ruled out (RFC 9112, 9.5).
const closeAfter = 500 * time.Millisecond

// Drain closes the listener, closes idle connections after closeAfter, and waits for the requests to sources that are being served.
// Connections in the socket's backlog are not accepted any more. Another process that holds the socket accepts them. An open HTTP/1
// connection may carry one more request until closeAfter, and each answer closes its connection.
//
// When ctx ends first, Drain answers the open requests with 503, closes connections that are not done within abortGrace, and
// returns the cause of ctx. http.Server.Shutdown alone would close a connection on which a sender is writing, without an answer.
func (s *Server) Drain(ctx context.Context) error {
	s.advance(phaseDraining)
	defer s.abort(errStopping)
	s.mu.Lock()
	s.drained = true
	if s.listener != nil {
		_ = s.listener.Close() // an error means that it is closed already
	}
	s.mu.Unlock()

	idle, cancel := context.WithTimeout(ctx, closeAfter)
	defer cancel()
	s.handler.Connections.CloseIdle(idle)
	err := s.awaitServed(ctx)
	if err == nil && s.shutDown() == nil {
		return nil
	}
	s.abort(errStopping)
	if s.shutDown() != nil {
		_ = s.http.Close() // its errors are of closing connections
	}
	return err
}

// shutDown sends GOAWAY on HTTP/2, and waits for at most abortGrace until the connections are closed. A request that has just begun
// on an HTTP/2 connection may end in that time.
func (s *Server) shutDown() error {
	grace, cancel := context.WithTimeout(context.Background(), abortGrace)
	defer cancel()
	return s.http.Shutdown(grace)
}

// track counts the requests that next serves.
func (s *Server) track(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.serving.Add(1)
		defer func() {
			if s.serving.Add(-1) == 0 {
				select {
				case s.noneServed <- struct{}{}:
				default: // awaitServed has not received the last one
				}
			}
		}()
		next.ServeHTTP(w, req)
	})
}

// awaitServed waits until no request to a source is being served (nil), or ctx ends (its cause).
func (s *Server) awaitServed(ctx context.Context) error {
	for s.serving.Load() > 0 {
		select {
		case <-s.noneServed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
