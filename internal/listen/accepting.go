package listen

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Accepting returns l, and what tells how the loop that accepts its connections is doing. It is to be the outermost layer.
func Accepting(l net.Listener) *Loop {
	return &Loop{Listener: l, begun: make(chan struct{}), start: time.Now()}
}

// Loop is a listener that knows whether somebody accepts.
type Loop struct {
	net.Listener
	start time.Time
	begun chan struct{}
	once  sync.Once
	// away is since when the loop is elsewhere than in Accept, in nanoseconds after start: 0 while it is in there, waiting
	// for a connection or for a place, and after the end.
	away atomic.Int64
}

// Begun is closed when the first Accept has been called.
func (l *Loop) Begun() <-chan struct{} { return l.begun }

// Away is for how long the loop has not come back for the next connection; 0 while it waits for one, and when it is over.
func (l *Loop) Away() time.Duration {
	since := l.away.Load()
	if since == 0 {
		return 0
	}
	return time.Since(l.start) - time.Duration(since)
}

// Accept returns the next connection.
func (l *Loop) Accept() (net.Conn, error) {
	l.away.Store(0)
	l.once.Do(func() { close(l.begun) })
	conn, err := l.Listener.Accept()
	if err == nil {
		l.away.Store(int64(max(time.Since(l.start), 1)))
	}
	return conn, err //nolint:wrapcheck // a decorator: net/http looks at the error of the listener itself
}
