package listen

import (
	"container/list"
	"context"
	"time"
)

const (
	// lastLook is how long the last read of a connection takes. It finds a request that has already arrived.
	lastLook = time.Millisecond
	// endTimeout is how long CloseIdle waits until the connections without a request are closed.
	endTimeout = 50 * time.Millisecond
)

// CloseIdle waits for the open connections to close, until ctx ends. Then it closes the connections without a request, and
// waits for at most endTimeout until they are closed. net/http still reads a request that has arrived already. A connection whose
// request has begun stays open, also while its body is on its way. HTTP/2 connections stay open: they have GOAWAY.
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
	for _, idle := range []*list.List{&b.waiting, &b.answered} {
		for element := idle.Front(); element != nil; element = element.Next() {
			if c, _ := element.Value.(*conn); !c.isActive.Load() {
				c.endRead()
			}
		}
	}
}

// endRead ends the connection by a deadline in the past for its read. Read then reads once more: closing a socket with a request
// in it would send a reset. The mutex of the bound is held.
func (c *conn) endRead() {
	if c.isHTTP2.Load() { // the TLS layer would wait for a handshake
		return
	}
	c.lastReadDue.Store(true)
	c.deadlineIsPast.Store(true)
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
}
