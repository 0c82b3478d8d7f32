// Package publish is the only package that knows the client of libbeat's pipeline: events go out, acknowledgements come in.
//
// libbeat's Publish blocks while the queue is full and cannot be cancelled. It is therefore never called from a
// handler: a few workers, each with its own client, take batches from the registry's queue, message by message, so that
// a batch whose time is up withdraws all that no worker has handed over yet. However many senders retry against a dead
// output, what stays blocked is one event for each worker.
package publish

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/elastic/beats/v7/libbeat/beat"

	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/metrics"
)

// Logger is the part of logp.Logger that publishing needs.
type Logger interface {
	Errorw(msg string, keysAndValues ...any)
}

// Settings say how many workers there are, and what they make of a message.
type Settings struct {
	Workers    int
	DocumentID inflight.DocumentID // with ContentID, the registry must have it too
	Processors []string            // names of the processors in the configuration
}

// Publisher hands batches to the pipeline. It is safe for use from any goroutine.
type Publisher struct {
	settings Settings
	registry *inflight.Registry
	clients  []beat.Client
	counters *counters
	log      Logger
	failures *failures
	panics   rate.Sometimes
	workers  sync.WaitGroup
	ended    chan struct{} // closed when all workers have ended
}

// New registers the metrics of publishing, connects a client for each worker to the pipeline, and starts the workers. Close and
// then Wait end them.
func New(pipeline beat.Pipeline, registry *inflight.Registry, settings Settings, r *metrics.Registry, log Logger) (*Publisher, error) {
	p := &Publisher{
		settings: settings,
		registry: registry,
		counters: newCounters(r, settings.Processors),
		log:      log,
		failures: newFailures(log),
		panics:   rate.Sometimes{Interval: time.Second},
		ended:    make(chan struct{}),
	}
	for range settings.Workers {
		client, err := pipeline.ConnectWith(p.clientConfig())
		if err != nil {
			p.Close()
			p.workers.Wait()
			return nil, fmt.Errorf("connecting to the publisher pipeline: %w", err)
		}
		p.clients = append(p.clients, client)
		p.workers.Go(func() { p.work(client) })
	}
	go func() {
		p.workers.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *Publisher) clientConfig() beat.ClientConfig {
	// Off: the decoder yields plain types already, and normalising walks each event once more to drop its nulls.
	normalize := false
	return beat.ClientConfig{
		PublishMode: beat.GuaranteedSend,
		Processing: beat.ProcessingConfig{
			EventNormalization: &normalize,
			KeepNull:           true,
		},
		// WaitClose stays 0. libbeat fixes it when the client connects, and could wait for its whole length at the
		// end of a budget that is spent. The registry waits instead, exactly for what is left (beater/shutdown.go).
		EventListener:  newAckListener(p.registry, p.counters, p.failures),
		ClientListener: dropListener{p.counters},
	}
}

// Close ends the queue and closes the clients, without waiting. Seal the registry before: an event that is refused
// from here on fails its batch. A worker that is blocked on a full queue goes on when the pipeline is closed.
func (p *Publisher) Close() {
	p.registry.CloseQueue()
	for _, client := range p.clients {
		_ = client.Close() // always nil (libbeat/publisher/pipeline/client.go)
	}
}

// Wait blocks until all workers have ended (nil) or ctx ends (its cause). Call it after Close, and after the
// pipeline was closed.
func (p *Publisher) Wait(ctx context.Context) error {
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// publish hands one event to libbeat. A processor that panics must not take the process down, and with it all that is
// in flight, again and again as the sender repeats its batch. libbeat runs the processors before it counts the event
// (client.publish in libbeat/publisher/pipeline/client.go), so that no acknowledgement will come for it, and those of
// its neighbours stay in order.
func (p *Publisher) publish(client beat.Client, event beat.Event, e *inflight.EventAck) {
	defer func() {
		if r := recover(); r != nil {
			// What the panic says is left out, for it may quote the event; and a sender can cause one with each request.
			p.panics.Do(func() {
				args := []any{"error.stack_trace", string(debug.Stack())}
				if failure := e.Failure(); failure != nil {
					args = append(args, "processor", failure.Processor)
				}
				p.log.Errorw("panic in a processor: its event cannot be published", args...)
			})
			p.counters.dropped.Inc()
			e.Drop(inflight.ErrUnpublishable)
		}
	}()
	client.Publish(event)
}

func (p *Publisher) work(client beat.Client) {
	for b := p.registry.Take(); b != nil; b = p.registry.Take() {
		if wait, first := b.QueueWait(); first {
			p.counters.wait.Observe(wait.Seconds())
		}
		for m, e, ok := b.Next(); ok; m, e, ok = b.Next() {
			p.publish(client, p.newEvent(m, b.Origin, e), e)
		}
	}
}
