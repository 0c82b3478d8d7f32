// Package lumbersink is a lumberjack v2 server for tests and for `rtbeat sink`. It stands in for Logstash: it acknowledges windows
// at once, late or never, closes connections or refuses them, as its policy says. It keeps the events, and the times of their
// receipt and acknowledgement.
//
// go-lumber's server reads and writes the protocol. As Logstash does, the sink closes a connection with a reset, and after a
// minute without a byte. Close goes on reading for a quiet period, without acknowledging.
//
// A window is the unit that a client sends and a server acknowledges. go-lumber hands over one window of a connection at a time:
// the next one counts as received after the first was acknowledged. Other connections do not wait for it.
package lumbersink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// ackFlush bounds the time that Close waits until released acknowledgements are written.
const ackFlush = time.Second

var errClosed = errors.New("the sink is closed")

// Event is one event as it was received.
type Event struct {
	Raw      json.RawMessage // the exact bytes; all snapshots share them, so do not change them
	Conn     string          // the client's address and the number of the connection: "127.0.0.1:40000#7"
	Received time.Time       // when the event's window was complete
	Acked    time.Time       // taken before any client could see the acknowledgement; zero until it is released
}

// Sink is a listening lumberjack server. All methods may be called from any goroutine.
type Sink struct {
	opts     options
	listener net.Listener
	ended    chan struct{}  // closed by Close after the quiet period: connections end
	running  sync.WaitGroup // accept, and serve for each connection
	close    func() error

	receiveMu sync.Mutex // one window at a time
	onErrorMu sync.Mutex // one call of onError at a time

	// mu guards the rest. A window leaves held once, and only then may it be acknowledged: go-lumber panics at a second time.
	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at each change
	closing  bool
	policy   Policy
	lastConn int
	conns    map[*conn]bool // the open ones
	held     []*window
	events   []Event
	received int
	acked    int
	err      error
}

// Listen starts a sink on a TCP address such as "127.0.0.1:5044". Port 0 picks a free one, see Addr. It silences go-lumber's
// logger for the whole process.
func Listen(addr string, opts ...Option) (*Sink, error) {
	s := &Sink{opts: defaults, ended: make(chan struct{}), changed: make(chan struct{}), conns: map[*conn]bool{}}
	s.close = sync.OnceValue(s.end)
	for _, opt := range opts {
		opt(&s.opts)
	}
	s.policy = s.opts.policy
	var config net.ListenConfig
	var err error
	if s.listener, err = config.Listen(context.Background(), "tcp", addr); err != nil {
		return nil, fmt.Errorf("lumberjack sink: %w", err)
	}
	silenceGoLumber()
	s.running.Go(s.accept)
	return s, nil
}

// Addr returns the address of the listener, with its port.
func (s *Sink) Addr() string { return s.listener.Addr().String() }

// SetPolicy sets the policy for the windows that are received from now on. Held windows stay held.
func (s *Sink) SetPolicy(p Policy) {
	s.mu.Lock()
	s.policy = p
	s.mu.Unlock()
	if p.kind == refuse {
		s.Cut()
	}
}

// Release acknowledges every held window, in order of receipt.
func (s *Sink) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range slices.Clone(s.held) {
		s.ackHeldLocked(w)
	}
}

// Cut closes all open connections. Their held windows are never acknowledged.
func (s *Sink) Cut() {
	s.mu.Lock()
	open := maps.Clone(s.conns)
	s.mu.Unlock()
	for c := range open {
		s.sever(c)
	}
}

// Events returns a copy of the kept events, in order of receipt.
func (s *Sink) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Received returns the number of received events. An event that is sent again counts again.
func (s *Sink) Received() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received
}

// Acked returns the number of events whose acknowledgement was released.
func (s *Sink) Acked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked
}

// Err returns the first failure: a bad event (see CheckJSON), bytes that are not lumberjack v2, a window of more than a million
// events, or a listener that stopped. The sink closes the connection, does not count the window, and goes on. A client that
// leaves is no failure.
func (s *Sink) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Wait waits until Received is at least n. Its error names the missing number, and the first failure if there was one.
func (s *Sink) Wait(ctx context.Context, n int) error { return s.wait(ctx, n, "received", &s.received) }

// WaitAcked waits until Acked is at least n.
func (s *Sink) WaitAcked(ctx context.Context, n int) error {
	return s.wait(ctx, n, "acknowledged", &s.acked)
}

func (s *Sink) wait(ctx context.Context, n int, done string, count *int) error {
	cause := errClosed
	if !s.await(ctx, func() bool { return *count >= n || s.closing }) {
		cause = context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if *count >= n {
		return nil
	}
	err := fmt.Errorf("wait for %d events, %d %s: %w", n, *count, done, cause)
	if s.err != nil {
		err = fmt.Errorf("%w (first failure: %w)", err, s.err)
	}
	return err
}

// await waits until holdsLocked returns true. It returns false when ctx ends before.
func (s *Sink) await(ctx context.Context, holdsLocked func() bool) bool {
	for {
		s.mu.Lock()
		holds, changed := holdsLocked(), s.changed
		s.mu.Unlock()
		if holds {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

func (s *Sink) awaitFor(d time.Duration, holdsLocked func() bool) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	s.await(ctx, holdsLocked)
}

// Close ends the sink: it drops held windows, refuses new connections, waits until released acknowledgements are written, and
// closes the connections after the quiet period. It returns Err, so that a test that checks Close sees a failure. It may be called
// again.
func (s *Sink) Close() error { return s.close() }

func (s *Sink) end() error {
	s.mu.Lock()
	s.closing = true
	for _, w := range slices.Clone(s.held) {
		s.dropHeldLocked(w)
	}
	s.notifyLocked()
	s.mu.Unlock()

	s.awaitFor(ackFlush, func() bool {
		for c := range s.conns {
			if c.unsent > 0 {
				return false
			}
		}
		return true
	})
	s.awaitFor(s.opts.quietPeriod, func() bool { return len(s.conns) == 0 })
	err := s.listener.Close()
	close(s.ended)
	s.running.Wait()
	return errors.Join(err, s.Err())
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
