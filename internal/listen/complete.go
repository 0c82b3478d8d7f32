package listen

import (
	"context"
	"sync"
)

// Complete says that a request has arrived in whole, and waits for its answer. Until done, and answerGrace after it, its
// connection is not displaced. An HTTP/2 connection is not displaced as long as one of its requests is complete.
//
// ok is false when the bound or the server has closed the connection already. Its client cannot get an answer, and will repeat
// the request. So nothing of the request may be published. When ok is true, call done before the answer is written. Further calls
// do nothing.
//
// ctx is the context of the request. Without Bound.ConnContext or a bound, ok is true.
func (*Bound) Complete(ctx context.Context) (done func(), ok bool) {
	c, found := ctx.Value(connKey{}).(*conn)
	if !found {
		return func() {}, true
	}
	b := c.bound
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.isClosed {
		return func() {}, false
	}
	c.leaveList()
	c.requests++
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		c.requests--
		if c.requests == 0 && !c.isClosed {
			b.push(&b.answered, c)
			b.freed.Broadcast() // a waiting Accept has to wait for the end of answerGrace now
		}
	}), true
}
