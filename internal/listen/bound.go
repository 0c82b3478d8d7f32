package listen

import (
	"net"
	"sync"
	"time"
)

// answerGrace is how long an answer may take from the end of its handler to the socket before its connection counts as
// waiting all the same. net/http writes an answer out after the handler has returned, in microseconds if the client
// reads at all, and does not say when on an HTTP/2 connection.
const answerGrace = time.Second

// Bound limits how many connections are open, over all listeners that it wraps.
//
// When all places are taken, a new connection displaces, that is closes, the one that has been waiting longest without
// a complete request, counted from when it was accepted or from the end of its last complete request. So it costs
// idle connections and those that dribble a request first, and a sender gets in however many of them there are. A request
// that is never completed, be it refused or too slow, makes its connection no younger. A connection that carries a
// complete request (see Complete) is never closed. When all do, Accept waits, with one accepted connection in hand, until
// a place is free; the kernel's backlog holds the rest. Health checks that must get in even then need a listener without
// this bound.
//
// The files that are open for connections are at most Limit and one for each listener.
//
// The http.Server must have ConnContext and ConnState as its hooks. All methods may be called from any goroutine.
type Bound struct {
	max   int
	start time.Time // what since of a connection counts from

	mu        sync.Mutex
	room      sync.Cond // Accept waits here for a place
	open      int
	displaced uint64
	// Both lists are in the order of since. A connection that carries a complete request is in neither.
	waiting  list
	answered list // done was called, and the answer may still be on its way to the socket
}

// NewBound returns a bound of limit connections. 0 or less is no limit: connections are counted, never displaced.
func NewBound(limit int) *Bound {
	b := &Bound{max: limit, start: time.Now()}
	b.room.L = &b.mu
	return b
}

// Limit returns the most connections that may be open, 0 or less for any number.
func (b *Bound) Limit() int { return b.max }

// Open returns how many connections are open.
func (b *Bound) Open() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open
}

// Displaced returns how many connections were closed to make room for another.
func (b *Bound) Displaced() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.displaced
}

// admit takes an accepted connection in, and closes another one for it if it must. It waits while it cannot. When the
// listener is closed meanwhile it comes in all the same, over the limit and as the last one: its sender has to be told.
func (b *Bound) admit(l *listener, accepted net.Conn) *conn {
	c := &conn{Conn: accepted, bound: b}
	b.mu.Lock()
	var victim *conn
	for b.max > 0 && b.open >= b.max && victim == nil && !l.closed {
		if victim = b.oldest(); victim == nil {
			b.awaitRoom()
		}
	}
	if victim != nil {
		b.forget(victim)
		b.displaced++
	}
	b.open++
	b.waiting.push(c, b.now())
	b.mu.Unlock()
	if victim != nil {
		_ = victim.Conn.Close() // it is of no more use, and its goroutine finds out by its next read
	}
	return c
}

// oldest returns the connection to displace, nil if there is none.
func (b *Bound) oldest() *conn {
	waits, answered := b.waiting.first, b.answered.first
	if answered == nil || b.now()-answered.since < answerGrace {
		return waits
	}
	if waits == nil || answered.since < waits.since {
		return answered
	}
	return waits
}

// awaitRoom waits until something has changed that may have made room.
func (b *Bound) awaitRoom() {
	if c := b.answered.first; c != nil {
		graceEnds := time.AfterFunc(c.since+answerGrace-b.now(), func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.room.Broadcast()
		})
		defer graceEnds.Stop()
	}
	b.room.Wait()
}

// forget takes a connection out of the bound: from now on its place is free, and Complete fails on it.
func (b *Bound) forget(c *conn) {
	c.leave()
	c.gone = true
	b.open--
}

// closed is what a connection tells when it has been closed.
func (b *Bound) closed(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.gone {
		return
	}
	b.forget(c)
	b.room.Broadcast()
}

func (b *Bound) now() time.Duration { return time.Since(b.start) }
