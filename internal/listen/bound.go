package listen

import (
	"container/list"
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
	// MaxAge is how long a connection is kept, a tenth more or less; 0 without a limit. See IsOld. Set it before the first Accept.
	MaxAge time.Duration

	max   int
	start time.Time // conn.since and conn.oldFrom count from it

	mu        sync.Mutex
	freed     sync.Cond // Accept waits for it at the limit, and so does CloseIdle
	open      int
	accepted  uint64
	displaced uint64
	// Both lists hold a *conn each, in the order of conn.since. A connection that carries a complete request is in neither.
	waiting  list.List
	answered list.List // done was called, and the answer may still be on its way to the socket
}

// NewBound returns a bound of limit connections. 0 or less is no limit: connections are counted, never displaced.
func NewBound(limit int) *Bound {
	b := &Bound{max: limit, start: time.Now()}
	b.freed.L = &b.mu
	return b
}

// Listener returns l within the bound. Its connections have CloseWrite if the connections of l have it. Close ends an Accept
// that waits at the limit.
func (b *Bound) Listener(l net.Listener) net.Listener {
	return &listener{Listener: l, bound: b}
}

type listener struct {
	net.Listener
	bound  *Bound
	closed bool // guarded by bound.mu
}

// Accept returns the next connection. It may wait at the limit.
func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.bound.admit(l, accepted), nil
}

// Close stops listening. Connections stay open.
func (l *listener) Close() error {
	l.bound.mu.Lock()
	l.closed = true
	l.bound.freed.Broadcast()
	l.bound.mu.Unlock()
	return l.Listener.Close()
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

// Accepted returns how many connections were accepted.
func (b *Bound) Accepted() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.accepted
}

// admit counts an accepted connection. At the limit it closes another connection, or waits while all carry complete requests.
// When the listener is closed meanwhile, it admits the last connection over the limit, so that its sender gets an answer.
func (b *Bound) admit(l *listener, accepted net.Conn) *conn {
	c := &conn{Conn: accepted, bound: b, oldFrom: b.oldFrom()}
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
	b.accepted++
	b.push(&b.waiting, c)
	b.mu.Unlock()
	if victim != nil {
		_ = victim.Conn.Close() // its goroutine ends at its next read
	}
	return c
}

// push puts a connection that is in no list at the end of l.
func (b *Bound) push(l *list.List, c *conn) {
	c.since = b.now()
	c.inList, c.element = l, l.PushBack(c)
}

// first returns the connection at the beginning of l, nil if l is empty.
func first(l *list.List) *conn {
	if element := l.Front(); element != nil {
		c, _ := element.Value.(*conn)
		return c
	}
	return nil
}

// oldest returns the connection to displace, nil if there is none.
func (b *Bound) oldest() *conn {
	waits, answered := first(&b.waiting), first(&b.answered)
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
	if c := first(&b.answered); c != nil {
		defer time.AfterFunc(c.since+answerGrace-b.now(), b.wake).Stop()
	}
	b.freed.Wait()
}

// wake ends every wait for freed.
func (b *Bound) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.freed.Broadcast()
}

// forget stops counting a connection. From then on Complete fails on it.
func (b *Bound) forget(c *conn) {
	c.leaveList()
	c.isClosed = true
	b.open--
}

// closed forgets a connection that has been closed.
func (b *Bound) closed(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.isClosed {
		return
	}
	b.forget(c)
	b.freed.Broadcast()
}

func (b *Bound) now() time.Duration { return time.Since(b.start) }
