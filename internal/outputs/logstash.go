package outputs

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/elastic/beats/v7/libbeat/common/backoff"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/testing"
	"github.com/elastic/elastic-agent-libs/transport"
)

// logstashClient connects a client of the Logstash output. It replaces libbeat's worker for that (netClientWorker in
// libbeat/publisher/pipeline/client_worker.go) and libbeat's backoff (libbeat/outputs/backoff.go), and differs from both:
//
//   - The first connection that breaks after an acknowledgement is replaced at once, and logged at info. This is normal:
//     Logstash closes a connection that was idle for 60 s, and the next window finds it closed.
//   - After any other failure it waits, from backoff.init up to backoff.max. Only an acknowledgement resets the backoff. In
//     libbeat a new connection resets it, so a host that accepts connections and cuts them is tried at backoff.init for ever.
//   - A failure that lasts is logged once a minute.
//
// It is no NetworkClient: libbeat's worker only calls Publish, from one goroutine, and Close.
type logstashClient struct {
	client  outputs.NetworkClient
	hosts   []string
	log     *logp.Logger
	repeats *repeats
	backoff backoff.Backoff
	closing chan struct{} // ends a wait
	once    sync.Once

	connected bool // since the last error; for Publish alone

	mu               sync.Mutex
	hasUnackedWindow bool      // a window was sent on this connection since the last acknowledgement
	failures         int       // since the last acknowledgement
	since            time.Time // of the first failure
	isLogged         bool      // at error, since the last acknowledgement
	breakReason      string    // the first reason why the connection broke, until a line has it
	infoLimit        lineLimit
	errorLimit       lineLimit
}

// Publish hands the batch to the client if there is a connection. Otherwise it gives the batch back, so that another worker
// may have it, and connects. It returns nil: libbeat's worker would end at an error.
//
// Publish must not reach libbeat's client after an error and before Connect: closed, that client acknowledges a batch that it never
// sent (msgRef.dec in libbeat/outputs/logstash/async.go), and rtbeat would answer 200. connected guards that. Close, which comes
// from another goroutine, comes after the registry is sealed.
func (c *logstashClient) Publish(ctx context.Context, batch publisher.Batch) error {
	if c.connected {
		if c.markSent() {
			c.repeats.sent(batch.Events())
		}
		err := c.client.Publish(ctx, batch)
		if err == nil {
			return nil
		}
		c.connected = false // the client has closed it, and has given the batch back
		if ctx.Err() == nil && c.countBroken(err) {
			c.backoff.Wait()
		}
		return nil
	}
	batch.Cancelled()
	err := c.client.Connect(ctx)
	c.connected = err == nil
	switch {
	case err == nil:
		c.begin()
	case ctx.Err() == nil:
		c.countUnreachable(err)
		c.backoff.Wait()
	}
	return nil
}

// Close ends a wait, and closes the client once: libbeat's client panics at the second time.
func (c *logstashClient) Close() (err error) {
	c.once.Do(func() {
		close(c.closing)
		err = c.client.Close()
	})
	return err
}

func (c *logstashClient) String() string { return c.client.String() }

func (c *logstashClient) Test(d testing.Driver) { testOutput(c.client, d) }

// markSent notes that a window is sent. It returns whether this is the first window on the connection since the last
// acknowledgement. Logstash reads in order: a window behind another one did not end the connection.
func (c *logstashClient) markSent() (isFirst bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	isFirst = !c.hasUnackedWindow
	c.hasUnackedWindow = true
	return isFirst
}

// begin starts the records of a new connection.
func (c *logstashClient) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.breakReason, c.hasUnackedWindow = "", false
	if c.failures == 0 {
		c.log.Infow("connected to Logstash", "hosts", c.hosts)
	}
}

// countBroken counts and logs a connection that broke. It returns whether to wait before the next attempt.
func (c *logstashClient) countBroken(err error) (wait bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.countLocked()
	reason := cmp.Or(c.breakReason, err.Error())
	c.breakReason = ""
	if c.failures > 1 {
		if suppressed, ok := c.errorLimit.allow(time.Now()); ok {
			c.log.Errorw("connections to Logstash break before an acknowledgement", c.failedLocked(reason, suppressed)...)
		}
		return true
	}
	if suppressed, ok := c.infoLimit.allow(time.Now()); ok {
		c.log.Infow("the connection to Logstash was closed, sending again over a new one", "hosts", c.hosts, "error.message", reason, "suppressed", suppressed)
	}
	return false
}

// countUnreachable counts and logs an attempt to connect that failed.
func (c *logstashClient) countUnreachable(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.countLocked()
	c.breakReason = ""
	if suppressed, ok := c.errorLimit.allow(time.Now()); ok {
		c.log.Errorw("cannot connect to Logstash", c.failedLocked(err.Error(), suppressed)...)
	}
}

func (c *logstashClient) countLocked() {
	if c.failures == 0 {
		c.backoff.Reset() // here, and not in acked, because this is the goroutine that waits
		c.since = time.Now()
	}
	c.failures++
}

// failedLocked returns the fields of a line at error, and notes the line.
func (c *logstashClient) failedLocked(reason string, suppressed int) []any {
	c.isLogged = true
	return []any{
		"hosts", c.hosts, "error.message", reason, "failures", c.failures, "suppressed", suppressed,
		"event.duration", time.Since(c.since).Nanoseconds(),
	}
}

// acked ends the failures. The output's goroutines call it.
func (c *logstashClient) acked() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hasUnackedWindow = false
	if c.failures == 0 {
		return
	}
	if c.isLogged {
		c.log.Infow("Logstash acknowledges again", "hosts", c.hosts, "failures", c.failures, "event.duration", time.Since(c.since).Nanoseconds())
	}
	c.failures, c.isLogged, c.breakReason = 0, false, ""
}

// keepBreakReason keeps the first reason why the connection broke. A later window finds the connection closed, which is no reason.
// The output's goroutines call it.
func (c *logstashClient) keepBreakReason(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.breakReason == "" && reason != transport.ErrNotConnected.Error() {
		c.breakReason = reason
	}
}

// logstashObserver reports acknowledgements to a client, and the reason why a connection broke. The output reports the reason before
// it gives the window back, and logs it only afterwards.
type logstashObserver struct {
	outputs.Observer
	client *logstashClient
}

func (o logstashObserver) AckedEvents(n int) {
	if n > 0 {
		o.client.acked()
		o.client.repeats.reset()
	}
	o.Observer.AckedEvents(n)
}

func (o logstashObserver) ReadError(err error) {
	o.connectionFailed(err)
	o.Observer.ReadError(err)
}

func (o logstashObserver) WriteError(err error) {
	o.connectionFailed(err)
	o.Observer.WriteError(err)
}

func (o logstashObserver) connectionFailed(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		o.client.repeats.reset()
	}
	if !errors.Is(err, net.ErrClosed) { // the client closed it
		o.client.keepBreakReason(err.Error())
	}
}
