package lumbersink

import "time"

const (
	// defaultKeep is how many events a sink keeps unless told otherwise.
	defaultKeep = 1_000_000

	// maxWindow is the largest window a client may announce. Go-lumber's default
	// of 10,000 would turn away outputs with a larger bulk_max_size; the limit
	// stays because it allocates a window's slots before it reads the first event.
	maxWindow = 1 << 20
)

// Option changes a sink before it starts to listen.
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

// wantsBytes tells whether anybody will look at the events themselves.
func (o *options) wantsBytes() bool { return o.keep > 0 || o.onEvent != nil }

// WithPolicy sets the policy the sink starts with. Default: Immediate.
func WithPolicy(p Policy) Option {
	return func(o *options) { o.policy = p }
}

// WithOnEvent has f called once for each event, in order of receipt, from the
// sink's one goroutine. It runs before the event's window is counted and before
// its policy is looked at, so f sees each event before any acknowledgement of
// it, and a policy set by f applies to that window. While f runs the sink
// receives nothing else. f must not call Close or Wait.
func WithOnEvent(f func(Event)) Option {
	return func(o *options) { o.onEvent = f }
}

// WithOnError has f called for each connection that failed (see Sink.Err), one
// call at a time. f must not call Close.
func WithOnError(f func(error)) Option {
	return func(o *options) { o.onError = f }
}

// WithKeep sets how many events Events returns at most. Default: 1,000,000. The
// first n are kept; later ones are counted, acknowledged and passed to the
// WithOnEvent function as ever, but not kept. The limit is on the number of
// events, not on their bytes.
func WithKeep(n int) Option {
	return func(o *options) { o.keep = max(n, 0) }
}

// WithDiscard keeps no events and only counts them. Without a WithOnEvent
// function their bytes are not even copied, which is what a load test wants.
func WithDiscard() Option { return WithKeep(0) }

// WithKeepAlive sets how often a client that waits for an acknowledgement is
// sent an ACK 0. Default: 5s. Values that are not positive are ignored: the
// keep-alive is also how go-lumber notices that a waiting client has left.
func WithKeepAlive(d time.Duration) Option {
	return func(o *options) {
		if d > 0 {
			o.keepAlive = d
		}
	}
}
