package listen

import "time"

// list is a linked list of connections. The links are in the connections, so that each change takes constant time and no
// memory. The mutex of the bound guards it.
type list struct{ first, last *conn }

// push puts c, which is in no list, at the end.
func (l *list) push(c *conn, since time.Duration) {
	c.in, c.since, c.previous = l, since, l.last
	if l.last == nil {
		l.first = c
	} else {
		l.last.next = c
	}
	l.last = c
}

// leave removes c from its list, if it is in one.
func (c *conn) leave() {
	if c.in == nil {
		return
	}
	if c.previous == nil {
		c.in.first = c.next
	} else {
		c.previous.next = c.next
	}
	if c.next == nil {
		c.in.last = c.previous
	} else {
		c.next.previous = c.previous
	}
	c.in, c.previous, c.next = nil, nil, nil
}
