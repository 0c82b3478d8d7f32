// Package intake is the HTTP side: the server, its routes, the limits on a request, the walk of a batch through
// admit, read, decode, claim, publish, await and reply, health, and the one table of answers.
//
// It knows nothing of libbeat: what publishes takes batches from the registry.
package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/txn2/rtbeat/internal/inflight"
)

// Settings are the limits of the server, all positive.
type Settings struct {
	Timeout     time.Duration // how long a request waits for the acknowledgement of its batch
	ReadTimeout time.Duration // for the headers of a request, and again for its body
	IdleTimeout time.Duration // until an idle connection is closed
	MaxBody     int64         // bytes
	Ack         Ack           // what the output's acknowledgement means; Delivered when empty
	// Fits, if set, says why the queue cannot carry a message, in words that quote nothing of it; nil when it can.
	Fits func(fields map[string]any) error
}

// Ack is what a 200 is worth: what the acknowledgement of the output means.
type Ack string

const (
	// Delivered says that the output has delivered every event.
	Delivered Ack = "delivered"
	// Persisted says that every event is on the local disk, to be delivered.
	Persisted Ack = "persisted"
)

// Metrics is what the intake reports.
type Metrics interface {
	// Request counts a request in, and out when done is called.
	Request() (done func())
	// Read counts bytes of a body.
	Read(bytes int)
	// Batch counts a decoded batch.
	Batch(messages, numbersAsStrings int)
	// Coalesced counts the messages of a batch that were in flight or delivered when it came.
	Coalesced(inFlight, delivered int)
	// Withdrawn counts messages taken back.
	Withdrawn(messages int)
	// Delivered records how long a batch took that is answered 200.
	Delivered(after time.Duration)
	// Expect makes the series of an answer before it is first given.
	Expect(code int, reason string)
	// Answer counts an answer.
	Answer(code int, reason string)
}

// Logger is the part of logp.Logger that the intake needs.
type Logger interface {
	Debugw(msg string, keysAndValues ...any)
	Warnw(msg string, keysAndValues ...any)
	Errorw(msg string, keysAndValues ...any)
}

// Parts are what the server works with.
type Parts struct {
	Admission      *inflight.Admission
	Registry       *inflight.Registry
	Metrics        Metrics
	MetricsHandler http.Handler // serves GET /metrics
	Log            Logger
}

// phase is where the server stands between start and end. It only grows.
type phase int32

const (
	phaseStarting phase = iota
	phaseServing
	phaseLeaving  // serves, but asks load balancers to go elsewhere
	phaseDraining // refuses new batches
)

// maxHeaderBytes bounds the headers of a request; net/http answers 431 beyond it.
const maxHeaderBytes = 64 << 10

// Server is the HTTP server. Make it with New, then Serve until Drain. Serve once; Drain may be repeated.
type Server struct {
	http     *http.Server
	phase    atomic.Int32
	registry *inflight.Registry
	serving  *tracker
	abort    context.CancelCauseFunc // ends the requests that wait

	mu       sync.Mutex
	listener net.Listener
	drained  bool
}

// New returns a server that does not listen yet.
func New(settings Settings, parts Parts) *Server {
	base, abort := context.WithCancelCause(context.Background())
	s := &Server{abort: abort, registry: parts.Registry, serving: newTracker()}
	h := &handler{
		admission:   parts.Admission,
		registry:    parts.Registry,
		metrics:     parts.Metrics,
		draining:    func() bool { return s.at(phaseDraining) },
		timeout:     settings.Timeout,
		readTimeout: settings.ReadTimeout,
		maxBody:     settings.MaxBody,
		ack:         cmp.Or(settings.Ack, Delivered),
		fits:        settings.Fits,
	}
	s.http = &http.Server{
		Handler: s.routes(h, newReplier(parts.Log, parts.Metrics, h.draining), parts.MetricsHandler),
		// What is left of a refused request net/http reads, up to 256 KiB, before it lets the answer go: ReadTimeout bounds that. A
		// body that is taken in gets a deadline of its own, which ends with it (handler.read): none may run while a
		// request waits for its acknowledgement.
		ReadTimeout:       settings.ReadTimeout,
		ReadHeaderTimeout: settings.ReadTimeout,
		IdleTimeout:       settings.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// net/http would answer OPTIONS * with a 200.
		DisableGeneralOptionsHandler: true,
		BaseContext:                  func(net.Listener) context.Context { return base },
		ErrorLog:                     log.New(errorLog{parts.Log}, "", 0),
	}
	return s
}

// Serve accepts connections until Drain is called (nil) or the listener fails.
func (s *Server) Serve(listener net.Listener) error {
	s.mu.Lock()
	s.listener = listener
	if s.drained { // and found no listener to close
		_ = listener.Close()
	}
	s.mu.Unlock()
	s.advance(phaseServing)
	if err := s.http.Serve(listener); !s.at(phaseDraining) && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	return nil
}

// Leave turns /readyz to 503, while batches are still taken.
func (s *Server) Leave() { s.advance(phaseLeaving) }

func (s *Server) at(p phase) bool { return phase(s.phase.Load()) >= p }

func (s *Server) advance(p phase) {
	for current := s.phase.Load(); current < int32(p); current = s.phase.Load() {
		if s.phase.CompareAndSwap(current, int32(p)) {
			return
		}
	}
}

// errorLog brings what net/http complains of, mostly about senders, to the one logger.
type errorLog struct{ log Logger }

func (l errorLog) Write(line []byte) (int, error) {
	l.log.Debugw("http server", "error.message", string(line))
	return len(line), nil
}
