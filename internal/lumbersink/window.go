package lumbersink

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/elastic/go-lumber/lj"
)

// window is one received window and the right to acknowledge it.
type window struct {
	batch    *lj.Batch
	conn     *conn // nil when the client had left before the window was taken
	size     int
	from, to int         // its events within Sink.events, as far as they were kept
	timer    *time.Timer // set under Delay
}

// verdict is what the policy says about one window.
type verdict int

const (
	verdictAck verdict = iota
	verdictHold
	verdictCut
)

// take receives windows until the sink is closed.
func (s *Sink) take() {
	defer close(s.taken)
	for batch := range s.windows {
		s.receive(batch)
		s.forgetGone()
	}
}

// receive records one window and does with it what the policy says.
func (s *Sink) receive(batch *lj.Batch) {
	now := time.Now()
	c, cut := s.lookup(batch.RemoteAddr)
	if cut {
		// Go-lumber had read it already and was waiting for its turn when the
		// connection was cut: it died with the connection.
		return
	}
	if err := decodeFailure(batch.Events); err != nil {
		s.sever(c)
		s.fail(fmt.Errorf("lumberjack connection %s: %w", batch.RemoteAddr, err))
		return
	}

	var events []Event
	if s.opts.wantsBytes() {
		events = make([]Event, len(batch.Events))
		for i, raw := range batch.Events {
			events[i] = Event{Raw: raw.(json.RawMessage), Conn: batch.RemoteAddr, Received: now} //nolint:forcetypeassert // decoder makes nothing else
		}
	}
	if s.opts.onEvent != nil {
		for _, event := range events {
			s.opts.onEvent(event)
		}
	}

	s.mu.Lock()
	w := s.recordLocked(batch, c, events)
	v, delay := s.judgeLocked(w.size)
	switch {
	case c == nil || c.state != connOpen || s.closing:
		// Nobody is left to acknowledge it to.
	case v == verdictAck:
		s.ackLocked(w)
	case v == verdictHold:
		s.holdLocked(w, delay)
	}
	s.notifyLocked()
	s.mu.Unlock()

	if v == verdictCut {
		s.sever(c)
	}
}

// recordLocked counts the window and keeps its events as far as the limit lets it.
func (s *Sink) recordLocked(batch *lj.Batch, c *conn, events []Event) *window {
	w := &window{batch: batch, conn: c, size: len(batch.Events), from: len(s.events)}
	s.received += w.size
	s.events = append(s.events, events[:min(len(events), s.opts.keep-len(s.events))]...)
	w.to = len(s.events)
	return w
}

// judgeLocked applies the policy to a window of n events.
func (s *Sink) judgeLocked(n int) (v verdict, delay time.Duration) {
	switch s.policy.kind {
	case delayed:
		return verdictHold, max(s.policy.delay, 0)
	case never:
		return verdictHold, -1
	case cutAfter:
		s.untilCut -= n
		if s.untilCut > 0 {
			return verdictAck, 0
		}
		s.policy = Immediate()
		return verdictCut, 0
	case refuse:
		return verdictCut, 0
	default:
		return verdictAck, 0
	}
}

// holdLocked keeps the window waiting: for delay, or until Release if delay is
// negative.
func (s *Sink) holdLocked(w *window, delay time.Duration) {
	s.held = append(s.held, w)
	if delay < 0 {
		return
	}
	s.timers.Add(1)
	w.timer = time.AfterFunc(delay, func() {
		defer s.timers.Done()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ackHeldLocked(w)
	})
}

// ackHeldLocked acknowledges the window if it is still waiting.
func (s *Sink) ackHeldLocked(w *window) {
	if s.dropHeldLocked(w) {
		s.ackLocked(w)
		s.notifyLocked()
	}
}

// dropHeldLocked takes the window from those waiting. It tells whether it was
// one: the caller who gets true decides the window's end, and nobody after it.
func (s *Sink) dropHeldLocked(w *window) bool {
	i := slices.Index(s.held, w)
	if i < 0 {
		return false
	}
	s.held = slices.Delete(s.held, i, i+1)
	if w.timer != nil && w.timer.Stop() {
		s.timers.Done()
	}
	return true
}

// ackLocked releases the window's acknowledgement. Under mu nobody can see the
// acknowledgement before its time is on record.
func (s *Sink) ackLocked(w *window) {
	now := time.Now()
	for i := w.from; i < w.to; i++ {
		s.events[i].Acked = now
	}
	s.acked += w.size
	w.conn.unsent++
	w.batch.ACK()
}
