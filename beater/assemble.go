package beater

import (
	"fmt"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/intake"
	"github.com/txn2/rtbeat/internal/metrics"
	"github.com/txn2/rtbeat/internal/outputs"
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
	metrics   *metrics.Metrics
	publisher *publish.Publisher
	server    *intake.Server
	shipping  shipping // nothing, unless in durable mode
	states    states
	status    *status.Status // nil without an admin listener
	unwatch   func()         // ends the watch of states, and waits for its end; made by Run
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
	var server *intake.Server // it counts, and is looked at once it serves
	gathered := prometheus.NewRegistry()
	m := metrics.New(gathered, metrics.Sources{
		Bytes:         func() int64 { return admission.Used() + shipping.inFlight() },
		BytesLimit:    func() int64 { return int64(bt.config.MaxInFlight) },
		High:          func() bool { _, _, high := admission.High(); return high },
		Events:        registry.Events,
		Oldest:        registry.Oldest,
		Queued:        registry.Queued,
		RequestsLimit: func() int { return server.RequestsLimit() },
		Timeout:       bt.config.Timeout,
		Entries:       registry.Entries,
		EntriesLimit:  registry.Limit,
		Stalled:       registry.Stalled,
		Repeats:       outputs.WindowRepeats,
		OnDisk:        shipping.onDisk(),

		Connections:      bt.door.connections.Open,
		ConnectionsLimit: bt.door.connections.Limit,
		Displaced:        bt.door.connections.Displaced,
		Expiry:           bt.door.expiry(),

		Phase:   func() string { return server.Phase() },
		Libbeat: bt.libbeat.Value,
	}, words(bt.processors), bt.build, string(bt.ack()))

	publisher, err := publish.New(bt.pipeline, registry, publish.Settings{
		Workers:    min(runtime.GOMAXPROCS(0), maxWorkers),
		DocumentID: bt.config.DocumentID,
	}, m, bt.log.Named("publish"))
	if err != nil {
		return nil, fmt.Errorf("starting to publish: %w", err)
	}

	parts := intake.Parts{
		Admission:      admission,
		Registry:       registry,
		Metrics:        m,
		MetricsHandler: m.Handler(),
		Authenticator:  bt.door.authenticator,
		Trusted:        bt.door.trusted,
		TLS:            bt.door.certificates.Config(),
		Admin:          bt.door.admin != nil,
		Dedupe:         bt.config.Dedupe.Enabled,
		Connections:    bt.door.connections,
		Log:            bt.log.Named("intake"),
	}
	if shipping.shipper != nil {
		parts.Store = shipping.shipper
	}
	var page *status.Status
	if bt.door.admin != nil {
		page = status.New(gathered, status.Settings{
			Timeout:       bt.config.Timeout,
			Output:        bt.output,
			Host:          bt.config.Admin.Host,
			Configuration: bt.settings,
		})
		parts.Status, parts.StatusPaths = page, status.Paths
	}
	server = intake.New(bt.config.Intake, parts)
	states := states{stallOf(registry, bt.queue != nil, bt.log), highOf(admission, bt.log), crowdOf(bt.door.connections, bt.log)}
	return &assembly{admission: admission, registry: registry, metrics: m, publisher: publisher, server: server, shipping: shipping, states: states, status: page}, nil
}

// words are what the labels of the metrics may say.
func words(processors []string) metrics.Words {
	var refusals []string
	for _, detail := range auth.Details() {
		refusals = append(refusals, string(detail))
	}
	return metrics.Words{
		AckModes:   []string{string(intake.Delivered), string(intake.Persisted)},
		Phases:     intake.Phases(),
		Decode:     intake.DecodeFailures(),
		Auth:       refusals,
		Handshakes: intake.HandshakeFailures(),
		Reloads:    []string{reloadDone, reloadFailed},
		Processors: processors,
	}
}
