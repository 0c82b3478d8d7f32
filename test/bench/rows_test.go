package bench

import (
	"regexp"
	"slices"
	"time"

	"github.com/txn2/rtbeat/test/bench/message"
	"github.com/txn2/rtbeat/test/harness"
)

// row is one line of the table.
type row struct {
	name    string
	limit   bool // a limit, to compare rtbeat with
	measure func() sample
	samples []sample
}

func (r *row) cpu() figure  { return over(r.samples, sample.cpuPerMillion) }
func (r *row) rate() figure { return over(r.samples, sample.rate) }

// The rows that targets and texts refer to.
const (
	rowProtocol = "lumberjack protocol alone"
	rowGenerate = "making the ceiling's events, not publishing"
	rowCeiling  = "libbeat's ceiling"
	rowBaseline = "rtbeat, 500 × 16 senders"
	rowSingle   = "batches of 1"
	rowTwenty   = "batches of 20"
	rowLong     = "batches of 5000"
	rowLarge    = "messages of 4 KB"
	rowMany     = "256 senders"
)

// A few loads have 30 to 50 MB of bodies in flight, more than the default admits.
const inFlightLimit = "64MiB"

var (
	defaults        = &harness.Settings{}
	moreInFlight    = &harness.Settings{Rtbeat: map[string]any{"max_in_flight_bytes": inFlightLimit}}
	withoutDedupe   = &harness.Settings{Rtbeat: map[string]any{"dedupe.enabled": false}}
	manyConnections = &harness.Settings{Rtbeat: map[string]any{"max_connections": idleConnections + otherFiles, "idle_timeout": "1h"}}
	durable         = &harness.Settings{Args: []string{"-E", "queue.disk.max_size=4GB"}} // older releases know this setting too
	withProcessors  = &harness.Settings{Processors: []any{
		map[string]any{"add_host_metadata": nil},
		map[string]any{"drop_fields": map[string]any{"fields": []string{"agent.ephemeral_id", "ecs"}, "ignore_missing": true}},
		map[string]any{"drop_fields": map[string]any{
			"fields": []string{"rxtxMsg.payload.note"}, "ignore_missing": true, "when.range.rxtxMsg.payload.tariff.gt": 4,
		}},
	}}

	baseline = load{senders: 16, messages: 500}
	// filling keeps half of the default limit in flight.
	filling = load{senders: 8, messages: 5000}
)

// rows are the rows that match, in the table's order.
func (b *bench) rows(matching *regexp.Regexp) []*row {
	limit := func(name string, measure func() sample) *row { return &row{name: name, limit: true, measure: measure} }
	of := func(name string, s *harness.Settings, alter func(*load)) *row {
		l := baseline
		alter(&l)
		return &row{name: name, measure: func() sample { return b.measure(s, l) }}
	}
	same := func(*load) {}
	single := func(l *load) { l.messages = 1 }
	return slices.DeleteFunc([]*row{
		limit(rowProtocol, b.protocol),
		limit(rowGenerate, b.generate),
		limit(rowCeiling, b.ceiling),
		of(rowBaseline, defaults, same),
		of(rowSingle, defaults, single),
		of(rowTwenty, defaults, func(l *load) { l.messages = 20 }),
		of(rowLong, moreInFlight, func(l *load) { l.messages = 5000 }),
		of(rowLarge, moreInFlight, func(l *load) { l.size = message.Large }),
		of("1 sender", defaults, func(l *load) { l.senders = 1 }),
		of(rowMany, moreInFlight, func(l *load) { l.senders = 256 }),
		of("gzip", defaults, func(l *load) { l.gzip = true }),
		of("dedupe off", withoutDedupe, same),
		of("durable mode", durable, same),
		of("durable mode, batches of 1", durable, single),
		of("three processors", withProcessors, same),
	}, func(r *row) bool { return !matching.MatchString(r.name) })
}

// warmUp is how long a new process runs before it is measured.
const warmUp = time.Second

// measure runs a load on the rtbeat with these settings.
func (b *bench) measure(s *harness.Settings, l load) sample {
	beat := b.beat(s)
	found := b.run(beat, l, *duration)
	if s == defaults && l == baseline && b.fullLoad == 0 {
		_, b.fullLoad = resident(b.t, beat.Pid())
	}
	return found
}
