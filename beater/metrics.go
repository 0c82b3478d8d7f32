package beater

import (
	"runtime"
	"time"

	"github.com/elastic/elastic-agent-libs/logp"

	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/intake"
	"github.com/txn2/rtbeat/internal/libbeatstats"
	"github.com/txn2/rtbeat/internal/listen"
	"github.com/txn2/rtbeat/internal/metrics"
	"github.com/txn2/rtbeat/internal/outputs"
	"github.com/txn2/rtbeat/internal/publish"
	"github.com/txn2/rtbeat/internal/shipper"
	"github.com/txn2/rtbeat/internal/source"
)

// registerInFlight registers the gauges of package inflight, which does without Prometheus. Durable mode has a second Admission:
// bytes is the sum of both, and limit is their common limit.
func registerInFlight(r *metrics.Registry, admission *inflight.Admission, registry *inflight.Registry, bytes func() int64, limit int64) {
	inFlight, output := r.Section("in flight"), r.Section("output")
	inFlight.GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_in_flight_bytes",
		Help:  "Bytes of bodies in flight: read, and not yet acknowledged by the output or withdrawn.",
		More:  "Answered or not.",
		Moves: "Near its limit, 503s begin. Above zero without senders: the output owes acknowledgements.",
	}, func() float64 { return float64(bytes()) })
	inFlight.Gauge(metrics.Declaration{
		Name:  "rtbeat_in_flight_bytes_limit",
		Help:  "The limit of rtbeat_in_flight_bytes (max_in_flight_bytes).",
		Moves: "Alert on the ratio of the two, not on a number.",
	}).Set(float64(limit))
	inFlight.GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_in_flight_high",
		Help:  "1 from nine tenths of rtbeat_in_flight_bytes_limit on until it is down to three quarters, else 0.",
		Moves: "`/readyz` is 503 `in_flight_high`, and rtbeat refuses batches that do not fit. The output is slower than the senders.",
	}, func() float64 { _, _, isHigh := admission.High(); return metrics.Bool(isHigh) })
	inFlight.GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_in_flight_events",
		Help:  "Events handed to the pipeline and not yet acknowledged by the output.",
		Moves: "As the bytes. At its limit and more, publishing waits for the output: each worker holds one more event than the queue.",
	}, func() float64 { return float64(registry.Events()) })
	inFlight.GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_oldest_unacknowledged_seconds",
		Help:  "Age of the oldest unacknowledged event; 0 without one.",
		More:  "Unlike `rtbeat_output_no_ack_seconds`, it grows as well while the output acknowledges others.",
		Moves: "Above `rtbeat.timeout`: its sender got 504. In durable mode its sender got 200, and the age includes the wait on disk. Grows while other events are acknowledged: one of several hosts is stalled.",
	}, func() float64 { return registry.Oldest().Seconds() })
	inFlight.GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_dedupe_entries",
		Help:  "Delivered messages that rtbeat remembers for dedupe, within dedupe.window.",
		More:  "Messages in flight are known as well, and not in this number.",
		Moves: "At its limit, rtbeat forgets messages before the window is over.",
	}, func() float64 { return float64(registry.DedupeEntries()) })
	inFlight.GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_dedupe_entries_limit",
		Help:  "The limit of rtbeat_dedupe_entries (dedupe.max_entries).",
		Moves: "Divided by the rate of `rtbeat_events_acked_total`, it is the time for which rtbeat remembers deliveries, in seconds.",
	}, func() float64 { return float64(registry.DedupeLimit()) })
	r.Section("queue").GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_publish_queue_batches",
		Help:  "Batches that wait for a publishing worker.",
		Moves: "Above zero for more than a moment: libbeat's queue is full, and the workers wait for it.",
	}, func() float64 { return float64(registry.QueueLength()) })
	output.GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_output_stalled",
		Help:  "1 while the output counts as stalled (stall_after), else 0.",
		More:  "It owes acknowledgements, and has sent none for `rtbeat.stall_after`.",
		Moves: "`/readyz` is 503, and rtbeat refuses batches with new messages with `output_stalled`. In durable mode `/readyz` says `degraded`, and rtbeat stores batches. Look at Logstash.",
	}, func() float64 { _, isStalled := registry.Stalled(); return metrics.Bool(isStalled) })
	output.GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_output_no_ack_seconds",
		Help:  "Time without an acknowledgement while the output owes one; otherwise 0.",
		Moves: "Seconds are usual while Logstash is busy. Above `rtbeat.timeout`, senders get 504, but not in durable mode.",
	}, func() float64 { age, _ := registry.Stalled(); return age.Seconds() })
	output.GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_output_window_repeats",
		Help:  "How often the Logstash output has sent the same window again with no acknowledgement in between; 0 when all is well.",
		More:  "A timeout of the output resets the count.",
		Moves: "1 or 2 after a lost connection. 3 and more: [one event may be unreadable for Logstash](runbooks.md#one-event-may-be-unreadable-for-logstash), or a host accepts connections and closes them.",
	}, func() float64 { return float64(outputs.WindowRepeats()) })
}

type build struct {
	version, commit string // of rtbeat
	libbeat         string // its version
}

func registerBuild(r *metrics.Registry, b build) {
	r.Section("process").GaugeVec(metrics.Declaration{
		Name: "rtbeat_build_info", Labels: []string{"version", "commit", "libbeat_version", "goversion"},
		Help:  "1, with the versions of rtbeat, its commit, libbeat and Go.",
		Moves: "With each upgrade.",
	}).WithLabelValues(b.version, b.commit, b.libbeat, runtime.Version()).Set(1)
}

// The results of a reload.
const (
	reloadDone   = "done"
	reloadFailed = "failed"
)

func registerReloads(r *metrics.Registry) metrics.CounterBy {
	return r.Section("process").CounterBy(metrics.Declaration{
		Name: "rtbeat_reloads_total", Labels: []string{"result"},
		Help:  "Reloads of certificates and secrets after a SIGHUP, by result: done, failed.",
		More:  "After `failed` the former ones stay in force, and the log says why.",
		Moves: "With each `systemctl reload`. `failed`: look for `reloading failed` in the log, mend the file, reload again.",
	}, []string{reloadDone, reloadFailed})
}

// DeclareMetrics registers all metrics of rtbeat, of parts that do no work. tools/metrics writes docs/metrics.md from them.
func DeclareMetrics(r *metrics.Registry) error {
	admission, registry := inflight.NewAdmission(1), inflight.NewRegistry(inflight.Settings{})
	connections := listen.NewBound(1)
	connections.Register(r)
	listen.RegisterExpiry(r, func() time.Time { return time.Time{} })
	sources := []intake.Source{{Source: source.Default(source.DefaultSettings())}}
	intake.New(intake.Settings{}, intake.Parts{Sources: sources, Admission: admission, Registry: registry, Connections: connections, Metrics: r})
	new(diskqueue.Queue).Register(r)
	shipper.New(shipper.Parts{Registry: registry}).Register(r)
	registerInFlight(r, admission, registry, admission.Used, 1)
	_, err := publish.New(nil, registry, publish.Settings{}, r, logp.NewNopLogger())
	libbeatstats.New(nil).Register(r)
	registerReloads(r)
	registerBuild(r, build{})
	return err
}
