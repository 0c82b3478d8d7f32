package beater

import (
	"fmt"
	"runtime"

	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/intake"
	"github.com/txn2/rtbeat/internal/metrics"
	"github.com/txn2/rtbeat/internal/publish"
	"github.com/txn2/rtbeat/internal/status"
)

// maxWorkers bounds the publishing workers. Each runs the processors for the batch it holds, so that more of them
// than cores bring nothing; and each may stay blocked on one event while the output is dead, so that there are few.
const maxWorkers = 4

// assembly is what is built for one run.
type assembly struct {
	admission *inflight.Admission
	registry  *inflight.Registry
	metrics   *metrics.Registry
	reloads   metrics.CounterBy // by result
	publisher *publish.Publisher
	server    *intake.Server
	shipping  shipping // nothing, unless in durable mode
	states    states
	status    *status.Status // nil without an admin listener
}

// assemble builds the rooms along the walk, straight down the page.
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
	bt.door.register(m)
	shipping.register(m)
	bt.libbeat.Register(m)

	var err error
	a.publisher, err = publish.New(bt.pipeline, registry, publish.Settings{
		Workers:    min(runtime.GOMAXPROCS(0), maxWorkers),
		DocumentID: bt.config.DocumentID,
		Processors: bt.processors,
	}, m, bt.log.Named("publish"))
	if err != nil {
		return nil, fmt.Errorf("starting to publish: %w", err)
	}

	parts := intake.Parts{
		Admission:     admission,
		Registry:      registry,
		Metrics:       m,
		Authenticator: bt.door.authenticator,
		Trusted:       bt.door.trusted,
		TLS:           bt.door.certificates.Config(),
		Admin:         bt.door.admin != nil,
		Dedupe:        bt.config.Dedupe.Enabled,
		Connections:   bt.door.connections,
		Ack:           bt.ack(),
		Log:           bt.log.Named("intake"),
	}
	if shipping.shipper != nil {
		parts.Store = shipping.shipper
	}
	if bt.door.admin != nil {
		a.status = status.New(status.Settings{
			Snapshot:      func() status.Numbers { return bt.snapshot(a) },
			Version:       bt.build.version,
			Commit:        bt.build.commit,
			Libbeat:       bt.build.libbeat,
			Ack:           string(bt.ack()),
			Timeout:       bt.config.Timeout,
			Output:        bt.output,
			Host:          bt.config.Admin.Host,
			Configuration: bt.config.Shown(),
		})
		parts.Status, parts.StatusPaths = a.status, status.Paths
	}
	a.server = intake.New(bt.config.Intake, parts)
	a.states = states{stallOf(registry, bt.queue != nil, bt.log), highOf(admission, bt.log), crowdOf(bt.door.connections, bt.log)}
	return a, nil
}

// inFlightBytes is what the intake and the shipper have in memory.
func (a *assembly) inFlightBytes() int64 { return a.admission.Used() + a.shipping.inFlight() }
