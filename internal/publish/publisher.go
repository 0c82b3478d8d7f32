// Package publish hands events to libbeat's pipeline, and acknowledgements to the registry. No other package has a client of the
// pipeline.
//
// libbeat's Publish blocks while libbeat's queue is full, and cannot be cancelled. So no handler calls it: a few workers, each with
// its own clients, take batches from the registry's queue, message by message. A batch that times out withdraws every message that
// no worker has handed over. However many senders retry against a dead output, each worker blocks on one event only.
package publish

import (
	"cmp"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/metrics"
)

// Logger is the part of logp.Logger that publishing needs.
type Logger interface {
	Errorw(msg string, keysAndValues ...any)
}

// Settings are the number of workers, and the form of the events.
type Settings struct {
	Workers    int
	DocumentID inflight.DocumentID    // with ContentID, the registry must have it too
	Processors []string               // names of the processors in the configuration
	Forms      map[string]*event.Form // of the events, by the name of their source
	Form       *event.Form            // for other sources: durable mode may hold batches of sources that the file no longer has
}

// Publisher hands batches to the pipeline. Any goroutine may call its methods.
type Publisher struct {
	settings Settings
	registry *inflight.Registry
	clients  []beat.Client
	counters *counters
	log      Logger
	failures *failures
	panics   rate.Sometimes
	unknown  rate.Sometimes // log lines about unknown sources
	workers  sync.WaitGroup
}

// New registers the metrics of publishing, connects a client for each worker to the pipeline, and starts the workers. Close and
// then Wait end them.
func New(pipeline beat.Pipeline, registry *inflight.Registry, settings Settings, r *metrics.Registry, log Logger) (*Publisher, error) {
	p := &Publisher{
		settings: settings,
		registry: registry,
		counters: newCounters(r, settings),
		log:      log,
		failures: newFailures(log),
		panics:   rate.Sometimes{Interval: time.Second},
		unknown:  rate.Sometimes{Interval: time.Minute},
	}
	for range settings.Workers {
		clients, err := p.connect(pipeline)
		if err != nil {
			p.Close()
			p.Wait()
			return nil, fmt.Errorf("connecting to the publisher pipeline: %w", err)
		}
		p.workers.Go(func() { p.work(clients) })
	}
	return p, nil
}

// clients are the clients of one worker. libbeat adds the same fields to all events of a client, so each form with fields has a
// client of its own, and the others share the one under nil.
type clients map[*mapstr.EventMetadata]beat.Client

// connect makes the clients of a worker. Close closes them, also after an error.
func (p *Publisher) connect(pipeline beat.Pipeline) (clients, error) {
	made := make(clients)
	for _, form := range append(slices.Collect(maps.Values(p.settings.Forms)), p.settings.Form) {
		added := form.Metadata()
		if made[added] != nil {
			continue
		}
		client, err := pipeline.ConnectWith(p.clientConfig(added))
		if err != nil {
			return nil, err //nolint:wrapcheck // New does
		}
		made[added] = client
		p.clients = append(p.clients, client)
	}
	return made, nil
}

func (p *Publisher) clientConfig(added *mapstr.EventMetadata) beat.ClientConfig {
	// Not normalized: the decoder yields plain types, and normalizing drops nulls.
	processing := beat.ProcessingConfig{EventNormalization: new(false), KeepNull: true}
	if added != nil {
		processing.EventMetadata = *added
	}
	return beat.ClientConfig{
		PublishMode: beat.GuaranteedSend,
		Processing:  processing,
		// WaitClose is 0: libbeat would wait for the whole of it, even after the end of shutdown_timeout. The registry waits
		// instead (beater/shutdown.go).
		EventListener:  newAckListener(p.registry, p.counters, p.failures),
		ClientListener: dropListener{p.counters},
	}
}

// Close ends the queue and closes the clients, without waiting. Seal the registry before: an event that is refused from now on
// fails its batch. A worker that is blocked on libbeat's full queue goes on when the pipeline is closed.
func (p *Publisher) Close() {
	p.registry.CloseQueue()
	for _, client := range p.clients {
		_ = client.Close() // always nil (libbeat/publisher/pipeline/client.go)
	}
}

// Wait blocks until all workers have ended. Call it after Close and after closing the pipeline.
func (p *Publisher) Wait() { p.workers.Wait() }

// publish hands one event to libbeat, and recovers from a panic of a processor: otherwise a retried batch would end the process
// again and again. libbeat runs the processors before it counts the event (client.publish in libbeat/publisher/pipeline/client.go),
// so acknowledgements of other events keep their order.
func (p *Publisher) publish(client beat.Client, made beat.Event, e *inflight.EventAck) {
	defer func() {
		if r := recover(); r != nil {
			// The text of the panic may quote the event. A sender can cause a panic with each request.
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
	client.Publish(made)
}

// form returns the form of a source's events.
func (p *Publisher) form(source string) *event.Form {
	if form, ok := p.settings.Forms[cmp.Or(source, inflight.DefaultSource)]; ok {
		return form
	}
	if source != "" {
		p.unknown.Do(func() {
			p.log.Errorw("a stored batch is of a source that the configuration does not have: its events have the default form; put the source back into rtbeat.sources for its own form", "source", source)
		})
	}
	return p.settings.Form
}

func (p *Publisher) work(clients clients) {
	for b := p.registry.Take(); b != nil; b = p.registry.Take() {
		if wait, first := b.QueueWait(); first {
			p.counters.wait.Observe(wait.Seconds())
		}
		form := p.form(b.Source)
		client := clients[form.Metadata()]
		for m, e, ok := b.Next(); ok; m, e, ok = b.Next() {
			p.publish(client, p.newEvent(form, m, b.Origin, e), e)
		}
	}
}
