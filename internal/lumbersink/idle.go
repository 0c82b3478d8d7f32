package lumbersink

import (
	"net"
	"time"
)

// These are the times of Logstash's beats input.
const (
	// defaultIdleTimeout is client_inactivity_timeout.
	defaultIdleTimeout = time.Minute

	// defaultKeepAlive is how long Logstash writes nothing while it works on a
	// batch, before it sends an ACK 0.
	defaultKeepAlive = 5 * time.Second

	// defaultQuietPeriod is how long Logstash goes on reading at a shutdown.
	defaultQuietPeriod = 2 * time.Second
)

// WithIdleTimeout sets the time without a byte in either direction after which a
// connection is closed. Default: 60s. Zero or less means never. Keep-alives, which
// are sent while a window waits for its acknowledgement, count as bytes.
func WithIdleTimeout(d time.Duration) Option {
	return func(o *options) { o.idleTimeout = d }
}

// WithQuietPeriod sets how long Close goes on receiving from the connections
// that are open, without an acknowledgement, before it closes them. Default:
// 2s. It ends sooner when all clients have left. Zero or less means no quiet
// period.
func WithQuietPeriod(d time.Duration) Option {
	return func(o *options) { o.quietPeriod = d }
}

// resetOnClose makes the close of a connection a reset, as Logstash does. Its
// client finds out with the next write, and not by an orderly end of the stream.
func resetOnClose(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it fails when the client has left, and then does not matter
	}
}

// closeWhenIdle closes c after the idle timeout, unless c.used is called sooner.
func (c *conn) closeWhenIdle(timeout time.Duration) {
	if timeout > 0 {
		c.idle = time.AfterFunc(timeout, func() { c.sink.sever(c) })
	}
}

// used begins the idle timeout again if n bytes, more than none, were read or written.
func (c *conn) used(n int) {
	if n > 0 && c.idle != nil {
		c.idle.Reset(c.sink.opts.idleTimeout)
	}
}

// notIdle ends the idle timeout. A read that is not over yet may begin it once
// more: it then meets a closed connection, and does nothing.
func (c *conn) notIdle() {
	if c.idle != nil {
		c.idle.Stop()
	}
}

// quiet waits until the quiet period is over or all clients have left.
func (s *Sink) quiet() {
	s.await(s.opts.quietPeriod, func() bool { return len(s.openLocked()) == 0 })
}

// openLocked returns the connections that are open.
func (s *Sink) openLocked() []*conn {
	var open []*conn
	for _, c := range s.conns {
		if c.state == connOpen {
			open = append(open, c)
		}
	}
	return open
}
