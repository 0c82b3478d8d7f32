package listen

import (
	"context"
	"time"
)

const (
	// lastLook is how long the last read of a connection takes. It finds a request that has already arrived.
	lastLook = time.Millisecond
	// endTimeout is how long CloseIdle waits for the connections that it ends.
	endTimeout = 50 * time.Millisecond
)

// CloseIdle waits for the open connections to close, until ctx ends. Then it closes those that carry no request, and returns
// when they are closed, or a moment later. A request that has arrived, and that net/http has not read, is still read. HTTP/2
// connections stay open: they have GOAWAY.
func (b *Bound) CloseIdle(ctx context.Context) {
	b.awaitClosed(ctx)
	b.endReads()
	ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	b.awaitClosed(ended)
}

// awaitClosed waits until no connection is open, or ctx ends.
func (b *Bound) awaitClosed(ctx context.Context) {
	defer context.AfterFunc(ctx, b.wake)()
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.open > 0 && ctx.Err() == nil {
		b.freed.Wait()
	}
}

// endReads ends the reads of all connections that carry no request.
func (b *Bound) endReads() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, idle := range []list{b.waiting, b.answered} {
		for c := idle.first; c != nil; c = c.next {
			c.endRead()
		}
	}
}

// endRead ends the connection by a deadline for its read. Read then reads once more: if the socket were closed with a request in
// it, the sender would get a reset. The mutex of the bound is held.
func (c *conn) endRead() {
	if c.streams.Load() { // the TLS layer would wait for a handshake
		return
	}
	c.leaving.Store(true)
	c.past.Store(true)
	_ = c.Conn.SetReadDeadline(longAgo)
}

// longAgo is a deadline in the past.
var longAgo = time.Unix(1, 0)
