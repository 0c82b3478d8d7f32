// Package intake is the HTTP side: the server, its routes, the limits on a request, health, and the table of all answers. It takes a
// request to a source through its steps: admit, read, verify, pin, decode, claim, publish, await, reply.
//
// It knows nothing of libbeat: the publisher takes batches from the registry.
package intake

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/clientip"
	"github.com/txn2/rtbeat/internal/contentcoding"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/metrics"
)

// Ack is the meaning of a 200.
type Ack string

const (
	// Delivered says that the output has delivered every event.
	Delivered Ack = "delivered"
	// Processed says that the output is done with every event. It does not say which events it gave up.
	Processed Ack = "processed"
	// Persisted says that the batch is on the local disk, to be delivered.
	Persisted Ack = "persisted"
)

// Store keeps batches until they are delivered.
type Store interface {
	// Store returns when the batch is on the disk. It owns the messages afterwards. keys are the keys of the messages, and nil
	// without dedupe. known is the number of messages that it had before.
	Store(ctx context.Context, r diskqueue.Record, messages []batch.Message, keys []batch.Key) (known int, err error)
	// Trouble says why batches are not stored now, and for how long; nil when they are.
	Trouble() (age time.Duration, err error)
}

// Connections limits the connections.
type Connections interface {
	// ConnState and ConnContext are hooks of http.Server.
	ConnState(conn net.Conn, state http.ConnState)
	ConnContext(ctx context.Context, conn net.Conn) context.Context
	// HeadersTimedOut tells, in ConnState, that the headers of a request timed out.
	HeadersTimedOut(conn net.Conn) bool
	// Complete says that a request is complete: until done is called, its connection is not displaced. It fails if the
	// connection was closed already.
	Complete(ctx context.Context) (done func(), ok bool)
	// IsOld tells whether the connection of a request is so old at this time that it is to end.
	IsOld(ctx context.Context, at time.Time) bool
	// CloseIdle waits for the connections to close, until ctx ends. Then it closes those without a request.
	CloseIdle(ctx context.Context)
}

// Logger is the part of logp.Logger that the intake needs.
type Logger interface {
	IsDebug() bool
	Debugw(msg string, keysAndValues ...any)
	Warnw(msg string, keysAndValues ...any)
	Errorw(msg string, keysAndValues ...any)
}

// Parts are the objects that the server uses.
type Parts struct {
	Sources     []Source // at least one
	Admission   *inflight.Admission
	Registry    *inflight.Registry
	Store       Store             // nil where batches are delivered before the answer
	Metrics     *metrics.Registry // the intake registers its metrics here, and serves all of them
	Status      http.Handler      // serves the status page, by ServeAdmin alone
	StatusPaths []string          // under these paths; none where there is no page
	Trusted     clientip.Trusted
	TLS         *tls.Config // nil for plain HTTP
	Connections Connections
	Ack         Ack  // in every 200
	Admin       bool // health and metrics are served by ServeAdmin, and not beside the sources
	Dedupe      bool // Store is told which messages it may know already
	Log         Logger
}

// phase is the state of the server between start and end. It only grows.
type phase int32

const (
	phaseStarting phase = iota
	phaseServing
	phaseLeaving  // serves, but is not ready for load balancers, and each answer closes its connection
	phaseDraining // has no listener any more, and serves the requests on open connections
)

const (
	// requestsShare is the share of the in-flight limit that requests may take beside their batches, with minRequests at
	// least: with the default, 4,096 requests with few headers.
	requestsShare = 4
	minRequests   = 1 << 20
	// perDecompressor is how many bytes may be in flight for each decompressor. One keeps up to 9 MiB, the window of a zstd body.
	perDecompressor = 4 << 20
	// maxStreams is how many requests an HTTP/2 connection may have open. Each counts against the limit of requests.
	maxStreams = 32
	// maxAdminHeaderBytes bounds the headers of a request to the admin listener.
	maxAdminHeaderBytes = 16 << 10
)

// Server is the HTTP server. Make it with New, then Serve until Drain, and ServeAdmin until CloseAdmin. Serve once; Drain and
// CloseAdmin may be repeated.
type Server struct {
	http      *http.Server
	admin     *http.Server
	handler   *handler
	endpoints []*endpoint // in the order of Parts.Sources
	born      time.Time
	phase     atomic.Int32
	leftAt    atomic.Int64            // when the phase became phaseLeaving or more, in nanoseconds after born; 0 before
	serving   atomic.Int64            // requests to a source that are being served
	abort     context.CancelCauseFunc // ends the requests that wait, and refuses new ones
	// noneServed has a value after serving became 0. It may be an old one.
	noneServed chan struct{}

	mu       sync.Mutex
	listener net.Listener
	drained  bool
}

// New returns a server that does not listen yet.
func New(settings Settings, parts Parts) *Server {
	base, abort := context.WithCancelCause(context.Background())
	s := &Server{abort: abort, born: time.Now(), noneServed: make(chan struct{}, 1)}
	h := &handler{
		Settings:     settings,
		Parts:        parts,
		counters:     newCounters(parts.Metrics, parts.Sources),
		leaving:      func() bool { return s.at(phaseLeaving) },
		requests:     inflight.NewAdmission(max(parts.Admission.Limit()/requestsShare, minRequests)),
		gates:        newGates(parts.Registry),
		decompressor: contentcoding.New(int(min(int64(runtime.GOMAXPROCS(0)/2), parts.Admission.Limit()/perDecompressor))),
	}
	for _, source := range parts.Sources {
		s.endpoints = append(s.endpoints, h.newEndpoint(source))
	}
	s.handler = h
	s.registerGauges(parts.Metrics)
	r := newReplier(h)
	in, admin := s.routes(r)
	complaints := log.New(&errorLog{log: parts.Log, failures: h.counters.handshakeFailures, once: rate.Sometimes{Interval: logInterval}}, "", 0)
	s.http = &http.Server{
		Handler: in,
		// net/http reads up to 256 KiB of a refused request before it sends the answer. ReadTimeout bounds that. post.read sets a
		// deadline of its own for a body, and ends it: none may run while a request waits for its acknowledgement.
		ReadTimeout:       settings.ReadTimeout,
		ReadHeaderTimeout: settings.ReadTimeout,
		IdleTimeout:       settings.IdleTimeout,
		MaxHeaderBytes:    int(settings.MaxHeader),
		TLSConfig:         parts.TLS,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams,
			MaxReadFrameSize:     16 << 10, // net/http allocates a frame as soon as its length is announced
			// The bytes of bodies that no handler has read yet, which no reservation counts.
			MaxReceiveBufferPerConnection: 1 << 20,
			MaxReceiveBufferPerStream:     256 << 10,
			SendPingTimeout:               settings.IdleTimeout,
			WriteByteTimeout:              writeTimeout,
		},
		// net/http would answer OPTIONS * with a 200.
		DisableGeneralOptionsHandler: true,
		BaseContext:                  func(net.Listener) context.Context { return base },
		ConnContext:                  parts.Connections.ConnContext,
		ConnState: func(conn net.Conn, state http.ConnState) {
			parts.Connections.ConnState(conn, state)
			if state == http.StateActive && parts.Connections.HeadersTimedOut(conn) {
				r.replyTo(conn, headerTimeout)
			}
		},
		ErrorLog: complaints,
	}
	s.admin = &http.Server{
		Handler:                      admin,
		ReadTimeout:                  adminTimeout,
		ReadHeaderTimeout:            adminTimeout,
		IdleTimeout:                  settings.IdleTimeout,
		MaxHeaderBytes:               maxAdminHeaderBytes,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     complaints,
	}
	return s
}

// adminTimeout bounds the reading of a request to the admin listener.
const adminTimeout = 10 * time.Second

// Serve accepts connections until Drain is called (nil) or the listener fails. With Parts.TLS they are TLS, and may
// speak HTTP/2.
func (s *Server) Serve(listener net.Listener) error {
	s.mu.Lock()
	s.listener = listener
	if s.drained { // and found no listener to close
		_ = listener.Close()
	}
	s.mu.Unlock()
	s.advance(phaseServing)
	serve := s.http.Serve
	if s.http.TLSConfig != nil {
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	if err := serve(listener); !s.at(phaseDraining) && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	return nil
}

// ServeAdmin serves health and metrics until CloseAdmin is called (nil) or the listener fails.
func (s *Server) ServeAdmin(listener net.Listener) error {
	if err := s.admin.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the admin listener: %w", err)
	}
	return nil
}

// CloseAdmin ends ServeAdmin, and its connections.
func (s *Server) CloseAdmin() { _ = s.admin.Close() } // its errors are of closing connections

// Leave turns /readyz to 503, while batches are still taken. From then on each answer closes its connection.
func (s *Server) Leave() { s.advance(phaseLeaving) }

// Authenticate sets the Authenticator of each source, in the order of Parts.Sources, for all later requests, on open connections
// as well. nil accepts every request.
func (s *Server) Authenticate(all []*auth.Authenticator) {
	for i, a := range all {
		s.endpoints[i].authenticator.Store(a)
	}
}

// TouchLocks takes and releases the lock of the server that every request takes. It blocks while the lock is held.
func (s *Server) TouchLocks() { s.handler.requests.Used() }

// phases are the names of the phases, in their order.
var phases = [...]string{phaseStarting: "starting", phaseServing: "serving", phaseLeaving: "leaving", phaseDraining: "draining"}

// Phase is where the server stands between start and end. It may be called from any goroutine.
func (s *Server) Phase() string { return phases[s.phase.Load()] }

// RequestsLimit is how many requests with few headers may be served at once. More headers weigh more.
func (s *Server) RequestsLimit() int { return int(s.handler.requests.Limit() / requestWeight(nil)) }

func (s *Server) at(p phase) bool { return phase(s.phase.Load()) >= p }

func (s *Server) advance(p phase) {
	if p >= phaseLeaving {
		s.leftAt.CompareAndSwap(0, int64(max(time.Since(s.born), 1)))
	}
	for current := s.phase.Load(); current < int32(p); current = s.phase.Load() {
		if s.phase.CompareAndSwap(current, int32(p)) {
			return
		}
	}
}
