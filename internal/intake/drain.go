package intake

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// abortGrace is how long connections may take to end once nothing is served any more: for answers that are on their
// way, and for the requests that Drain cut short.
const abortGrace = 250 * time.Millisecond

// Drain closes the listener, refuses new batches on open connections, and waits for the requests to /in that are being
// served. Connections that wait in the socket are not taken any more: where somebody else holds the socket too, they are
// for the next process. Those that are open have until farewell to be used once more.
//
// When ctx ends first, requests that still wait are answered 503, and what does not end by itself then is cut: that takes
// abortGrace more at most, and the cause of ctx is returned. http.Server.Shutdown alone would close an open connection
// under a sender that is writing to it, instead of telling it to go elsewhere.
func (s *Server) Drain(ctx context.Context) error {
	s.advance(phaseDraining)
	goodbye := time.Now().Add(farewell)
	s.mu.Lock()
	s.drained = true
	if s.listener != nil {
		_ = s.listener.Close() // closed already by an earlier call, or failed: there is nothing to listen to either way
	}
	s.mu.Unlock()
	err := s.serving.wait(ctx)
	if err == nil {
		s.sayGoodbye(ctx, goodbye)
	}
	s.abort(errStopping)

	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortGrace)
	defer cancel()
	if s.http.Shutdown(grace) != nil {
		_ = s.http.Close() // its errors are those of closing connections that are of no more use
	}
	return err
}

// tracker knows how many requests are being served, until it is waited for: later ones do not count.
type tracker struct {
	mu      sync.Mutex
	n       int
	waiting bool
	idle    chan struct{} // closed when n is 0 and waiting
}

func newTracker() *tracker { return &tracker{idle: make(chan struct{})} }

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
	if t.waiting {
		return false
	}
	t.n++
	return true
}

func (t *tracker) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n--
	if t.waiting && t.n == 0 {
		close(t.idle)
	}
}

// wait blocks until no request is being served that came before the first wait (nil), or ctx ends (its cause).
func (t *tracker) wait(ctx context.Context) error {
	t.mu.Lock()
	if !t.waiting && t.n == 0 {
		close(t.idle)
	}
	t.waiting = true
	t.mu.Unlock()
	select {
	case <-t.idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
