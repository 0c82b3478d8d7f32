package beater

import (
	"fmt"
	"runtime"

	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/intake"
	"github.com/txn2/rtbeat/internal/metrics"
	"github.com/txn2/rtbeat/internal/publish"
	"github.com/txn2/rtbeat/internal/status"
)

// maxWorkers limits the publishing workers. Each runs the processors for its batch, so more workers than cores gain nothing.
// Each may hold one event more than the queue while the output is stalled.
const maxWorkers = 4

type assembly struct {
	admission  *inflight.Admission
	registry   *inflight.Registry
	metrics    *metrics.Registry
	reloads    metrics.CounterBy // by result
	publisher  *publish.Publisher
	server     *intake.Server
	shipping   shipping // the zero value in memory mode
	conditions conditions
	status     *status.Status // nil without an admin listener
}

// assemble builds the packages in the order in which a request passes through them.
func (bt *Beater) assemble() (*assembly, error) {
	inFlight := int64(bt.config.MaxInFlight)
	if bt.queue != nil {
		inFlight /= 2 // the other half is the shipper's
	}
	admission := inflight.NewAdmission(inFlight)
	registry := inflight.NewRegistry(bt.config.InFlight)
	shipping := newShipping(bt.queue, registry, inFlight, bt.log)
	m := metrics.NewRegistry()
	a := &assembly{admission: admission, registry: registry, metrics: m, reloads: registerReloads(m), shipping: shipping}
	registerInFlight(m, admission, registry, a.inFlightBytes, int64(bt.config.MaxInFlight))
	registerBuild(m, bt.build)
	bt.listeners.register(m)
	shipping.register(m)
	bt.libbeat.Register(m)

	forms := bt.forms()
	var err error
	a.publisher, err = publish.New(bt.pipeline, registry, publish.Settings{
		Workers:    min(runtime.GOMAXPROCS(0), maxWorkers),
		DocumentID: bt.config.DocumentID,
		Processors: bt.options.processors,
		Forms:      forms,
		Form:       event.NewForm(bt.config.Event, bt.options.rootFields...),
	}, m, bt.log.Named("publish"))
	if err != nil {
		return nil, fmt.Errorf("starting to publish: %w", err)
	}

	parts := intake.Parts{
		Sources:     bt.sources(forms),
		Admission:   admission,
		Registry:    registry,
		Metrics:     m,
		Trusted:     bt.listeners.trusted,
		TLS:         bt.listeners.certificates.Config(),
		Admin:       bt.listeners.admin != nil,
		Dedupe:      bt.config.Dedupe.Enabled,
		Connections: bt.listeners.connections,
		Ack:         bt.ack(),
		Log:         bt.log.Named("intake"),
	}
	if shipping.shipper != nil {
		parts.Store = shipping.shipper
	}
	if bt.listeners.admin != nil {
		a.status = status.New(status.Settings{
			Snapshot:      func() status.Numbers { return bt.snapshot(a) },
			Version:       bt.build.version,
			Commit:        bt.build.commit,
			Libbeat:       bt.build.libbeat,
			Ack:           string(bt.ack()),
			Unconfirmed:   bt.unconfirmed,
			Timeout:       bt.config.Timeout,
			Output:        bt.output,
			Host:          bt.config.Admin.Host,
			Configuration: bt.config.Shown(),
		})
		parts.Status, parts.StatusPaths = a.status, status.Paths
	}
	a.server = intake.New(bt.config.Intake, parts)
	a.conditions = conditions{
		outputStalled(registry.Stalled, registry.Events, bt.queue != nil, bt.log),
		inFlightHigh(admission, bt.log),
		connectionsFull(bt.listeners.connections.Open, bt.listeners.connections.Limit, bt.listeners.connections.Displaced, bt.log),
	}
	return a, nil
}

// forms are the forms of the events, by the name of the source.
func (bt *Beater) forms() map[string]*event.Form {
	forms := make(map[string]*event.Form)
	for _, s := range bt.config.AllSources() {
		forms[s.Name] = event.NewForm(s.Event, bt.options.rootFields...)
	}
	return forms
}

// sources are the paths that take requests, each with its credentials.
func (bt *Beater) sources(forms map[string]*event.Form) (all []intake.Source) {
	for i, s := range bt.config.AllSources() {
		all = append(all, intake.Source{Source: s, Form: forms[s.Name], Authenticator: bt.listeners.authenticators[i]})
	}
	return all
}

func (a *assembly) inFlightBytes() int64 { return a.admission.Used() + a.shipping.inFlight() }
