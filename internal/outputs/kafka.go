package outputs

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
)

// kafka gives the output each event as a batch of its own; the producer gathers them again. The output ends a batch in one
// of three goroutines (libbeat/outputs/kafka/client.go), all of them with ACK, and the goroutine is what tells which it was:
// successWorker has heard from the broker. errorWorker has given the event up and said so to the observer, or has met an
// open circuit breaker, which it takes for a delivery if the batch met nothing else. Publish could not encode the event, or
// found no topic.
type kafka struct {
	client
	turn    chan struct{} // has the token while an event is handed over
	closing atomic.Bool
}

func newKafka(inner outputs.Client, o *observer, _ *conf.C, _ beat.Info) (outputs.Client, error) {
	o.split = true
	o.counts = func() bool { return endedBy() == byError } // what Publish drops, it has ended already
	return asNetwork(&kafka{client: client{inner, o}, turn: make(chan struct{}, 1)}, inner), nil
}

func (c *kafka) Publish(ctx context.Context, batch publisher.Batch) error {
	events := batch.Events()
	c.observer.Observer.NewBatch(len(events))
	if len(events) == 0 {
		batch.ACK()
		return nil
	}
	r := &round{batch: batch, left: len(events)}
	for i := range events {
		if err := c.handOver(ctx, &single{round: r, observer: c.observer, event: events[i : i+1]}); err != nil {
			return err
		}
	}
	return nil
}

// handOver publishes one event. The output returns no error, and takes the event or ends it.
func (c *kafka) handOver(ctx context.Context, s *single) error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	if c.closing.Load() {
		s.Cancelled()
		return nil
	}
	return c.Client.Publish(ctx, s)
}

// closeAfter is how long Close waits for the event that is being handed over.
const closeAfter = 100 * time.Millisecond

// Close closes the client between two events: the output panics where it is closed while it takes one, for it sends to a
// channel then that is closed as well. One that waits for room in that channel is let go by being closed.
func (c *kafka) Close() error {
	c.closing.Store(true)
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-time.After(closeAfter):
	}
	return c.Client.Close()
}

// round is one of libbeat's batches, until each of its events is ended.
type round struct {
	batch publisher.Batch

	mu    sync.Mutex
	left  int
	again []publisher.Event
}

func (r *round) end(again ...publisher.Event) {
	r.mu.Lock()
	r.again = append(r.again, again...)
	r.left--
	left := r.left
	r.mu.Unlock()
	switch {
	case left > 0:
	case len(r.again) > 0:
		r.batch.RetryEvents(r.again)
	default:
		r.batch.ACK()
	}
}

// single is a batch of one event. It is ended once.
type single struct {
	round    *round
	observer *observer
	event    []publisher.Event
}

func (s *single) Events() []publisher.Event { return s.event }

func (s *single) ACK() {
	switch endedBy() {
	case bySuccess:
		s.round.end()
	case byError:
		// The observer is told just before, in this goroutine, and it is the only one that asks.
		s.observer.notAcked.Add(1)
		if s.observer.takePermanent() == 0 {
			s.observer.RetryableErrors(1)
			s.round.end(s.event...)
			return
		}
		s.Drop()
	case byPublish, byUnknown: // a libbeat that ends batches elsewhere must not make a 200 of it
		s.observer.notAcked.Add(1)
		s.Drop()
	}
}

func (s *single) Drop() {
	reject(&s.event[0])
	s.round.end()
}

func (s *single) Retry()                               { s.round.end(s.event...) }
func (s *single) Cancelled()                           { s.round.end(s.event...) }
func (s *single) RetryEvents(events []publisher.Event) { s.round.end(events...) }
func (s *single) SplitRetry() bool                     { return false }

// ending is who ended a batch.
type ending int

const (
	byUnknown ending = iota
	bySuccess
	byError
	byPublish
)

var endings = map[string]ending{"successWorker": bySuccess, "errorWorker": byError, "Publish": byPublish}

// depth is how many callers are looked at: dec, done or fail, and then the one.
const depth = 8

// endedBy finds the method of the output's client that calls.
func endedBy() ending {
	var counters [depth]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(2, counters[:])]) // without Callers and endedBy
	for {
		frame, more := frames.Next()
		if method, ok := strings.CutPrefix(frame.Function, "github.com/elastic/beats/v7/libbeat/outputs/kafka.(*client)."); ok {
			return endings[method]
		}
		if !more {
			return byUnknown
		}
	}
}

// quiet lets each line through once a second. The output writes one for each batch that fails, which here is each event.
func quiet(log *logp.Logger) *logp.Logger {
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Second, 1, 0)
	}))
}
