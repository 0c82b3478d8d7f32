package lumbersink

import "time"

// Option changes a sink before it listens.
type Option func(*options)

type options struct {
	policy      Policy
	onEvent     func(Event)
	onError     func(error)
	keep        int
	keepAlive   time.Duration
	idleTimeout time.Duration
	quietPeriod time.Duration
}

// defaults has the times of Logstash's beats input: client_inactivity_timeout, the interval of ACK 0 while it works on a batch,
// and the time that it goes on reading at a shutdown.
var defaults = options{keep: 1_000_000, keepAlive: 5 * time.Second, idleTimeout: time.Minute, quietPeriod: 2 * time.Second}

// wantsBytes tells whether anybody looks at the events.
func (o *options) wantsBytes() bool { return o.keep > 0 || o.onEvent != nil }

// WithPolicy sets the policy at the start. Default: Immediate.
func WithPolicy(p Policy) Option { return func(o *options) { o.policy = p } }

// WithOnEvent has f called for each event in order of receipt, one call at a time. The call comes before the event is counted and
// before the policy is applied, so a policy that f sets applies to the event's window. f must not call Close or Wait.
func WithOnEvent(f func(Event)) Option { return func(o *options) { o.onEvent = f } }

// WithOnError has f called for each connection that failed (see Sink.Err), one call at a time. f must not call Close.
func WithOnError(f func(error)) Option { return func(o *options) { o.onError = f } }

// WithKeep sets the largest number of events that Events returns: the first n. Default: 1,000,000. With 0 and without
// WithOnEvent the sink does not copy the events, for load tests.
func WithKeep(n int) Option { return func(o *options) { o.keep = n } }

// WithKeepAlive sets the interval of ACK 0 to a client that waits for an acknowledgement. Default: 5s. It must be positive:
// a failed keep-alive is how go-lumber notices that a waiting client has left.
func WithKeepAlive(d time.Duration) Option { return func(o *options) { o.keepAlive = d } }

// WithIdleTimeout sets the time without a byte in either direction after which the sink closes a connection. Default: 60s. Zero or
// less means never. Keep-alives count as bytes.
func WithIdleTimeout(d time.Duration) Option { return func(o *options) { o.idleTimeout = d } }

// WithQuietPeriod sets how long Close goes on receiving from open connections, without acknowledging. Default: 2s. The period ends
// when no client is connected.
func WithQuietPeriod(d time.Duration) Option { return func(o *options) { o.quietPeriod = d } }
