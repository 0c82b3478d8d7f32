package listen

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// NewLoop returns l as a Loop. It must be the outermost layer.
func NewLoop(l net.Listener) *Loop {
	return &Loop{Listener: l, begun: make(chan struct{}), start: time.Now()}
}

// Loop is a listener that tells whether the accept loop still runs.
type Loop struct {
	net.Listener
	start time.Time
	begun chan struct{}
	once  sync.Once
	// away is when the loop left Accept, in nanoseconds after start. It is 0 in Accept, and after the end.
	away atomic.Int64
}

// Begun is closed when the first Accept has been called.
func (l *Loop) Begun() <-chan struct{} { return l.begun }

// Away is how long the loop has been outside of Accept. It is 0 in Accept, and after the end.
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
	return conn, err
}
