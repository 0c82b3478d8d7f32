package lumbersink

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/elastic/go-lumber/lj"
)

// window is a received window and the right to acknowledge it.
type window struct {
	batch    *lj.Batch
	conn     *conn
	size     int
	from, to int         // its events in Sink.events, as far as they were kept
	timer    *time.Timer // set under Delay
}

// receive records a window and applies the policy.
func (s *Sink) receive(c *conn, batch *lj.Batch) {
	s.receiveMu.Lock()
	defer s.receiveMu.Unlock()
	events, err := s.eventsOf(c, batch)
	switch {
	case s.isCut(c): // go-lumber had read the window before the connection was closed
		return
	case err != nil:
		s.sever(c)
		s.fail(fmt.Errorf("lumberjack connection %s: %w", c.name, err))
		return
	}
	if s.opts.onEvent != nil {
		for _, event := range events {
			s.opts.onEvent(event)
		}
	}
	if s.record(c, batch, events) {
		s.sever(c)
	}
}

// eventsOf returns the events of a window, or none if nobody looks at them. The error is that of the first bad event.
func (s *Sink) eventsOf(c *conn, batch *lj.Batch) (events []Event, err error) {
	now := time.Now()
	for _, event := range batch.Events {
		if err, isBad := event.(error); isBad {
			return nil, err
		}
		if raw, _ := event.(json.RawMessage); s.opts.wantsBytes() {
			events = append(events, Event{Raw: raw, Conn: c.name, Received: now})
		}
	}
	return events, nil
}

// record counts a window, keeps its events, and acknowledges or holds it. It returns true where the policy closes the connection.
func (s *Sink) record(c *conn, batch *lj.Batch, events []Event) (isCut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.notifyLocked()
	w := &window{batch: batch, conn: c, size: len(batch.Events), from: len(s.events)}
	s.received += w.size
	s.events = append(s.events, events[:min(len(events), s.opts.keep-len(s.events))]...)
	w.to = len(s.events)

	p := s.policyLocked(w.size)
	switch {
	case p.kind == cutAfter || p.kind == refuse:
		return true
	case !s.conns[c] || s.closing: // the client has left, or gets no acknowledgement any more
	case p.kind == immediate:
		s.ackLocked(w)
	default:
		s.held = append(s.held, w)
		if p.kind == delayed {
			w.timer = time.AfterFunc(p.delay, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.ackHeldLocked(w)
			})
		}
	}
	return false
}

// policyLocked returns the policy for a window of n events. CutAfter is Immediate until its count is reached.
func (s *Sink) policyLocked(n int) Policy {
	p := s.policy
	if p.kind != cutAfter {
		return p
	}
	s.policy.count -= n
	if s.policy.count > 0 {
		return Immediate()
	}
	s.policy = Immediate()
	return p
}

// ackHeldLocked acknowledges the window if it is still held.
func (s *Sink) ackHeldLocked(w *window) {
	if s.dropHeldLocked(w) {
		s.ackLocked(w)
		s.notifyLocked()
	}
}

// dropHeldLocked removes the window from the held ones. It returns true for one caller only, and that caller decides whether the
// window is acknowledged.
func (s *Sink) dropHeldLocked(w *window) bool {
	i := slices.Index(s.held, w)
	if i < 0 {
		return false
	}
	s.held = slices.Delete(s.held, i, i+1)
	if w.timer != nil {
		w.timer.Stop()
	}
	return true
}

// ackLocked releases the acknowledgement of the window. Its time is on record before any client can see it.
func (s *Sink) ackLocked(w *window) {
	now := time.Now()
	for i := w.from; i < w.to; i++ {
		s.events[i].Acked = now
	}
	s.acked += w.size
	w.conn.unsent++
	w.batch.ACK()
}
