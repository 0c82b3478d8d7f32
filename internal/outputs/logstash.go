package outputs

import (
	"context"
	"sync"
	"time"

	"github.com/elastic/beats/v7/libbeat/common/backoff"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/testing"
	"github.com/elastic/elastic-agent-libs/transport"
)

// logstash connects a client of the Logstash output. It takes the place of libbeat's worker for that (netClientWorker in
// libbeat/publisher/pipeline/client_worker.go) and of libbeat's backoff (libbeat/outputs/backoff.go). It differs in this:
//
//   - The first broken connection after an acknowledgement is replaced at once, and logged at info. This is normal:
//     Logstash closes each connection that was idle for 60 s, and the next window finds out.
//   - After any other failure it waits, from backoff.init up to backoff.max. Only an acknowledgement ends the doubling. In
//     libbeat a connection ends it, so that a host that accepts connections and cuts them is tried at backoff.init for ever.
//   - A failure that goes on is logged once a minute.
//
// It is no NetworkClient, so that libbeat's worker only calls Publish, from one goroutine, and Close.
type logstash struct {
	client  outputs.NetworkClient
	hosts   []string
	log     *logp.Logger
	repeats *repeats
	waits   backoff.Backoff
	closing chan struct{} // ends a wait
	once    sync.Once

	connected bool // for Publish alone

	mu       sync.Mutex
	awaits   bool      // a window was sent on this connection since the last acknowledgement
	failures int       // since the last acknowledgement
	since    time.Time // of the first of them
	told     bool      // at error, since the last acknowledgement
	cause    string    // why the connection broke first, as far as the output has said so and no line has it yet
	normal   limiter
	trouble  limiter
}

// Publish hands the batch to the client if there is a connection. Otherwise it gives the batch back, so that another worker
// may have it, and connects. It returns nil: libbeat's worker would end at an error.
func (c *logstash) Publish(ctx context.Context, batch publisher.Batch) error {
	if c.connected {
		if c.isFirst() {
			c.repeats.sent(batch.Events())
		}
		err := c.client.Publish(ctx, batch)
		if err == nil {
			return nil
		}
		c.connected = false // the client has closed it, and has given the batch back
		if ctx.Err() == nil && c.broken(err) {
			c.waits.Wait()
		}
		return nil
	}
	batch.Cancelled()
	err := c.client.Connect(ctx)
	c.connected = err == nil
	switch {
	case err == nil:
		c.established()
	case ctx.Err() == nil:
		c.unreachable(err)
		c.waits.Wait()
	}
	return nil
}

// Close ends a wait, and closes the client. It does so once: libbeat's client panics at the second time.
func (c *logstash) Close() (err error) {
	c.once.Do(func() {
		close(c.closing)
		err = c.client.Close()
	})
	return err
}

func (c *logstash) String() string { return c.client.String() }

// Test is `rtbeat test output`.
func (c *logstash) Test(d testing.Driver) { client{Client: c.client}.Test(d) }

// isFirst tells whether nothing was sent on this connection since the last acknowledgement, and notes that something is sent
// now. Logstash reads in order: a window behind another is not to blame when the connection ends.
func (c *logstash) isFirst() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !c.awaits
	c.awaits = true
	return first
}

// broken records and logs that a connection broke. It returns whether to wait before the next attempt.
func (c *logstash) broken(err error) (wait bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.countLocked()
	reason := c.cause
	if reason == "" {
		reason = err.Error()
	}
	c.cause = ""
	if c.failures == 1 {
		if suppressed, ok := c.normal.allow(time.Now()); ok {
			c.log.Infow("the connection to Logstash was closed, sending again over a new one", "hosts", c.hosts, "error.message", reason, "suppressed", suppressed)
		}
		return false
	}
	if suppressed, ok := c.trouble.allow(time.Now()); ok {
		c.log.Errorw("connections to Logstash break before an acknowledgement", c.fieldsLocked(reason, suppressed)...)
		c.told = true
	}
	return true
}

// unreachable records and logs that no connection could be made.
func (c *logstash) unreachable(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.countLocked()
	c.cause = ""
	if suppressed, ok := c.trouble.allow(time.Now()); ok {
		c.log.Errorw("cannot connect to Logstash", c.fieldsLocked(err.Error(), suppressed)...)
		c.told = true
	}
}

func (c *logstash) countLocked() {
	if c.failures == 0 {
		c.waits.Reset() // here, and not in acked, because this is the goroutine that waits
		c.since = time.Now()
	}
	c.failures++
}

func (c *logstash) fieldsLocked(reason string, suppressed int) []any {
	return []any{
		"hosts", c.hosts, "error.message", reason, "failures", c.failures, "suppressed", suppressed,
		"event.duration", time.Since(c.since).Nanoseconds(),
	}
}

// established logs the first connection.
func (c *logstash) established() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cause, c.awaits = "", false // those of the connection before
	if c.failures == 0 {
		c.log.Infow("connected to Logstash", "hosts", c.hosts)
	}
}

// acked ends the failures. The output's goroutines call it.
func (c *logstash) acked() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaits = false
	if c.failures == 0 {
		return
	}
	if c.told {
		c.log.Infow("Logstash acknowledges again", "hosts", c.hosts, "failures", c.failures, "event.duration", time.Since(c.since).Nanoseconds())
	}
	c.failures, c.told, c.cause = 0, false, ""
}

// caused keeps why the connection broke: the first reason. A window that comes to the connection later fails because it is
// closed, which is no reason. The output's goroutines call it.
func (c *logstash) caused(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == "" && reason != transport.ErrNotConnected.Error() {
		c.cause = reason
	}
}

// limiter lets a line through once a minute, and counts the others.
type limiter struct {
	last       time.Time
	suppressed int
}

func (l *limiter) allow(now time.Time) (suppressed int, ok bool) {
	if !l.last.IsZero() && now.Sub(l.last) < time.Minute {
		l.suppressed++
		return 0, false
	}
	suppressed = l.suppressed
	l.last, l.suppressed = now, 0
	return suppressed, true
}
