package lumbersink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/elastic/go-lumber/lj"
	v2 "github.com/elastic/go-lumber/server/v2"
)

// ackFlush bounds how long Close waits for acknowledgements that were released
// and are not written yet.
const ackFlush = time.Second

var errClosed = errors.New("the sink is closed")

// Event is one event as it came over the wire.
type Event struct {
	// Raw is the event's exact bytes. It is shared by all snapshots: read only.
	Raw json.RawMessage
	// Conn is the client's address and a number that makes the connection unique in
	// the life of the sink: "127.0.0.1:40000#7".
	Conn string
	// Received is when the event's window was complete.
	Received time.Time
	// Acked is zero until the window's acknowledgement was released, and is taken
	// just before that: no client can know of the acknowledgement any earlier. It
	// does not say that the acknowledgement arrived.
	Acked time.Time
}

// Sink is a listening lumberjack server. All its methods may be called at any
// time from any goroutine.
//
// It owns one goroutine that takes the windows, a timer for each window under
// Delay, and go-lumber's goroutines for the listener and each connection. Close
// ends all of them.
type Sink struct {
	opts    options
	addr    string
	server  *v2.Server
	windows chan *lj.Batch
	taken   chan struct{}  // closed when the goroutine that takes windows has ended
	timers  sync.WaitGroup // one for each Delay timer that is set or running

	closeOnce sync.Once
	closeErr  error

	onErrorMu sync.Mutex // one onError call at a time

	// mu guards what follows. A window is in held, or was acknowledged, or never
	// will be; it leaves held exactly once, and only under mu. That is what keeps
	// it from being acknowledged twice, which would panic.
	mu       sync.Mutex
	changed  chan struct{} // closed and replaced when anything below changes
	closing  bool
	policy   Policy
	untilCut int // events still to receive under CutAfter
	lastConn uint64
	conns    map[string]*conn // open ones, and cut ones that are not yet forgotten
	gone     []*conn          // cut ones that go-lumber is done with
	held     []*window
	events   []Event
	received int
	acked    int
	err      error
}

// Listen starts a sink on a TCP address such as "127.0.0.1:5044". Port 0 picks
// a free one, see Addr. It also silences go-lumber's logger, which is one for
// the whole process and has a line for each connection and each goroutine; what
// matters of it is told by Err and WithOnError.
func Listen(addr string, opts ...Option) (*Sink, error) {
	s := &Sink{
		opts: options{
			keep: defaultKeep, keepAlive: defaultKeepAlive,
			idleTimeout: defaultIdleTimeout, quietPeriod: defaultQuietPeriod,
		},
		windows: make(chan *lj.Batch),
		taken:   make(chan struct{}),
		changed: make(chan struct{}),
		conns:   map[string]*conn{},
	}
	for _, opt := range opts {
		opt(&s.opts)
	}
	s.policy, s.untilCut = s.opts.policy, s.opts.policy.count

	var config net.ListenConfig
	l, err := config.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("lumberjack sink: %w", err)
	}
	s.addr = l.Addr().String()

	silenceGoLumber()
	s.server, err = v2.NewWithListener(&listener{Listener: l, sink: s},
		v2.Channel(s.windows),
		v2.Keepalive(s.opts.keepAlive),
		v2.MaxWindowSize(maxWindow),
		v2.JSONDecoder(decoder(s.opts.wantsBytes())),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lumberjack sink: %w", err), l.Close())
	}
	go s.take()
	return s, nil
}

// Addr is the address the sink listens on, with the port it got.
func (s *Sink) Addr() string { return s.addr }

// SetPolicy changes what happens to windows received from now on. Windows that
// are already waiting stay as they are, until their delay is over or Release.
func (s *Sink) SetPolicy(p Policy) {
	s.mu.Lock()
	s.policy, s.untilCut = p, p.count
	s.mu.Unlock()
	if p.kind == refuse {
		s.Cut()
	}
}

// Release acknowledges every window that is waiting, in order of receipt.
func (s *Sink) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range slices.Clone(s.held) {
		s.ackHeldLocked(w)
	}
}

// Cut closes all open connections now. Windows waiting on them are never
// acknowledged.
func (s *Sink) Cut() {
	s.mu.Lock()
	open := s.openLocked()
	s.mu.Unlock()
	s.sever(open...)
}

// Events returns a copy of the events kept so far, in order of receipt.
func (s *Sink) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Received is the number of events received, acknowledged or not. An event that
// a client sent again counts again.
func (s *Sink) Received() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received
}

// Acked is the number of events whose acknowledgement was released.
func (s *Sink) Acked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked
}

// Err is the first failure: an event that is no JSON or that Logstash could not
// read (see CheckJSON), bytes that are no lumberjack v2, a window beyond a million
// events, or a listener that stopped accepting. The window concerned was neither counted nor
// acknowledged and its connection was closed; the sink goes on. A client that
// just leaves, even in the middle of a window, is no failure.
func (s *Sink) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Wait waits until Received is at least n. The error names what was missing and
// the first failure, if there was one.
func (s *Sink) Wait(ctx context.Context, n int) error {
	return s.wait(ctx, n, "received", func() int { return s.received })
}

// WaitAcked waits until Acked is at least n.
func (s *Sink) WaitAcked(ctx context.Context, n int) error {
	return s.wait(ctx, n, "acknowledged", func() int { return s.acked })
}

// wait waits until countLocked is at least n.
func (s *Sink) wait(ctx context.Context, n int, what string, countLocked func() int) error {
	for {
		s.mu.Lock()
		count, changed, closing, failure := countLocked(), s.changed, s.closing, s.err
		s.mu.Unlock()
		if count >= n {
			return nil
		}
		cause := errClosed
		if !closing {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				cause = context.Cause(ctx)
			}
		}
		err := fmt.Errorf("wait for %d events, %d %s: %w", n, count, what, cause)
		if failure != nil {
			return fmt.Errorf("%w (first failure: %w)", err, failure)
		}
		return err
	}
}

// Close ends the sink: waiting windows die unacknowledged, acknowledgements
// that were released before are given a moment to be written, and windows that
// arrive within the quiet period are received and not acknowledged. Then the
// listener and all connections are closed. New connections are refused from the
// start. It returns Err, so that a test that checks
// its Close cannot overlook a failure. Calling it again is harmless.
func (s *Sink) Close() error {
	s.closeOnce.Do(func() {
		s.mu.Lock()
		s.closing = true
		for _, w := range slices.Clone(s.held) {
			s.dropHeldLocked(w)
		}
		s.notifyLocked()
		s.mu.Unlock()

		s.await(ackFlush, func() bool { return !s.unsentLocked() })
		s.quiet()
		err := s.server.Close()
		close(s.windows) // go-lumber's handlers have ended: nobody sends any more
		<-s.taken
		s.timers.Wait()
		s.closeErr = errors.Join(err, s.Err())
	})
	return s.closeErr
}

// await waits until holdsLocked is true, but no longer than limit.
func (s *Sink) await(limit time.Duration, holdsLocked func() bool) {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		holds, changed := holdsLocked(), s.changed
		s.mu.Unlock()
		if holds {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			return
		}
	}
}

// fail records and reports the failure of a connection or of the listener.
func (s *Sink) fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.notifyLocked()
	s.mu.Unlock()
	if s.opts.onError != nil {
		s.onErrorMu.Lock()
		defer s.onErrorMu.Unlock()
		s.opts.onError(err)
	}
}

func (s *Sink) notifyLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}
