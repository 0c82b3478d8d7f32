package beater

import (
	"fmt"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/intake"
	"github.com/txn2/rtbeat/internal/metrics"
	"github.com/txn2/rtbeat/internal/publish"
)

// maxWorkers bounds the publishing workers. Each runs the processors for the batch it holds, so that more of them
// than cores bring nothing; and each may stay blocked on one event while the output is dead, so that there are few.
const maxWorkers = 4

// assembly is what is built for one run.
type assembly struct {
	registry  *inflight.Registry
	publisher *publish.Publisher
	server    *intake.Server
}

// assemble builds the rooms along the walk, straight down the page.
func (bt *Beater) assemble() (*assembly, error) {
	admission := inflight.NewAdmission(int64(bt.config.MaxInFlightBytes))
	registry := inflight.NewRegistry()

	var publisher *publish.Publisher
	m := metrics.New(prometheus.NewRegistry(), metrics.InFlight{
		Bytes:      admission.Used,
		BytesLimit: admission.Limit,
		Events:     registry.Events,
		Queued:     func() int { return publisher.Queued() },
	})

	publisher, err := publish.New(bt.pipeline, min(runtime.GOMAXPROCS(0), maxWorkers), m, bt.log.Named("publish"))
	if err != nil {
		return nil, fmt.Errorf("starting to publish: %w", err)
	}

	server := intake.New(intake.Settings{
		Timeout:     bt.config.Timeout,
		ReadTimeout: bt.config.ReadTimeout,
		IdleTimeout: bt.config.IdleTimeout,
		MaxBody:     int64(bt.config.MaxBodyBytes),
	}, intake.Parts{
		Admission:      admission,
		Registry:       registry,
		Publisher:      publisher,
		Metrics:        m,
		MetricsHandler: m.Handler(),
		Log:            bt.log.Named("intake"),
	})
	return &assembly{registry: registry, publisher: publisher, server: server}, nil
}
