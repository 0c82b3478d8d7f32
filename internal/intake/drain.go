package intake

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// abortGrace is how long connections may take to end after the last request. rtbeat writes the last answers in that time, also the
// answers to the requests that Drain cut short.
const abortGrace = 250 * time.Millisecond

// closeAfter is how long idle connections stay open from the beginning of Drain. rtbeat answers a request within that time with
// 503 and Connection: close; HTTP/1 has no other way to tell the sender. A request that arrives while its connection is closed
// gets no answer, which on HTTP/1 is rare, but cannot be ruled out (RFC 9112, 9.5).
const closeAfter = 500 * time.Millisecond

// Drain closes the listener, refuses new batches on open connections, and waits for the requests to /in that are being served.
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
	err := s.serving.wait(ctx)
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

// tracker counts the requests that are being served. Requests that begin after the first wait do not count.
type tracker struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // of the first wait, nil before; closed when n is 0
}

// track counts the requests that next serves.
func (t *tracker) track(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if t.enter() {
			defer t.leave()
		}
		next.ServeHTTP(w, req)
	})
}

func (t *tracker) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.idle != nil {
		return false
	}
	t.n++
	return true
}

// count is the number of requests.
func (t *tracker) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}

func (t *tracker) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n--
	if t.idle != nil && t.n == 0 {
		close(t.idle)
	}
}

// wait blocks until every request that began before the first wait has ended (nil), or ctx ends (its cause).
func (t *tracker) wait(ctx context.Context) error {
	t.mu.Lock()
	if t.idle == nil {
		t.idle = make(chan struct{})
		if t.n == 0 {
			close(t.idle)
		}
	}
	t.mu.Unlock()
	select {
	case <-t.idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
