package listen

import (
	"net"
	"sync"
	"time"
)

// answerGrace is how long an answer may take from the end of its handler to the socket. Then its connection counts as waiting.
// net/http writes an answer after the handler has returned, in microseconds if the client reads, and does not tell when on an
// HTTP/2 connection.
const answerGrace = time.Second

// Bound limits the open connections of all listeners that it wraps.
//
// At the limit, a new connection displaces another: Bound closes the connection that has waited longest without a complete
// request. The wait counts from the accept, or from the end of the last complete request. So idle and slow connections go
// first, and a sender can always connect. A request that is never complete, because it is refused or too slow, does not
// shorten the wait of its connection. A connection that carries a complete request (see Complete) is never closed. When all
// connections do, Accept waits with one accepted connection until another is closed; the kernel's backlog holds the rest.
// Health checks that must connect even then need a listener without this bound.
//
// The open files of connections are at most Limit, and one for each listener.
//
// The http.Server must have ConnContext and ConnState as its hooks. All methods may be called from any goroutine.
type Bound struct {
	max   int
	start time.Time // conn.since counts from it

	mu        sync.Mutex
	freed     sync.Cond // Accept waits for it at the limit, and CloseIdle
	open      int
	displaced uint64
	// Both lists are in the order of conn.since. A connection that carries a complete request is in neither.
	waiting  list
	answered list // done was called, and the answer may still be on its way to the socket
}

// NewBound returns a bound of limit connections. 0 or less is no limit: connections are counted, never displaced.
func NewBound(limit int) *Bound {
	b := &Bound{max: limit, start: time.Now()}
	b.freed.L = &b.mu
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

// Displaced returns how many connections were closed for another.
func (b *Bound) Displaced() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.displaced
}

// admit counts an accepted connection. At the limit it closes another connection, or waits while all carry complete requests.
// When the listener is closed meanwhile, it admits the last connection over the limit, so that its sender gets an answer.
func (b *Bound) admit(l *listener, accepted net.Conn) *conn {
	c := &conn{Conn: accepted, bound: b}
	b.mu.Lock()
	var victim *conn
	for b.max > 0 && b.open >= b.max && victim == nil && !l.closed {
		if victim = b.oldest(); victim == nil {
			b.awaitFreed()
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
		_ = victim.Conn.Close() // its goroutine ends at its next read
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

// awaitFreed waits until a connection may be displaced, or the limit may allow another.
func (b *Bound) awaitFreed() {
	if c := b.answered.first; c != nil {
		defer time.AfterFunc(c.since+answerGrace-b.now(), b.wake).Stop()
	}
	b.freed.Wait()
}

// wake lets those who wait for freed look again.
func (b *Bound) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.freed.Broadcast()
}

// forget stops counting a connection. From then on Complete fails on it.
func (b *Bound) forget(c *conn) {
	c.leave()
	c.gone = true
	b.open--
}

// closed forgets a connection that has been closed.
func (b *Bound) closed(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.gone {
		return
	}
	b.forget(c)
	b.freed.Broadcast()
}

func (b *Bound) now() time.Duration { return time.Since(b.start) }
