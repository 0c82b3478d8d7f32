package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/txn2/rtbeat/test/bench/message"
)

// row is one line of the table: something to measure, and what was found in each round.
type row struct {
	name    string
	limit   bool // not rtbeat, but what rtbeat is compared with
	measure func(ctx context.Context) (sample, error)
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
	rowCrowd    = "256 senders"
)

// The settings that are changed one at a time.
const (
	durable        = "queue.disk.max_size: 4GB" // every release understands it
	withoutDedupe  = "rtbeat.dedupe.enabled: false"
	withProcessors = `processors:
- add_host_metadata: ~
- drop_fields: {fields: [agent.ephemeral_id, ecs], ignore_missing: true}
- drop_fields: {fields: [rxtxMsg.payload.note], ignore_missing: true, when.range.rxtxMsg.payload.tariff.gt: 4}
`
	// What some loads have in flight, 30 to 50 MB of bodies, is more than the default lets in.
	moreInFlight = "rtbeat.max_in_flight_bytes: 64MiB"
)

var (
	baseline = load{senders: 16, messages: 500}
	// filling is half of what the default limit admits, in flight all the time.
	filling = load{senders: 8, messages: 5000}
)

// rows are all that the table has, in its order. They start the processes that they need when they are first measured.
func (b *bench) rows() []*row {
	change := func(settings string, alter func(*load)) func(context.Context) (sample, error) {
		l := baseline
		if alter != nil {
			alter(&l)
		}
		return func(ctx context.Context) (sample, error) { return b.measure(ctx, settings, l) }
	}
	return []*row{
		{name: rowProtocol, limit: true, measure: b.protocol},
		{name: rowGenerate, limit: true, measure: b.generate},
		{name: rowCeiling, limit: true, measure: b.measureCeiling},
		{name: rowBaseline, measure: change("", nil)},
		{name: rowSingle, measure: change("", func(l *load) { l.messages = 1 })},
		{name: rowTwenty, measure: change("", func(l *load) { l.messages = 20 })},
		{name: rowLong, measure: change(moreInFlight, func(l *load) { l.messages = 5000 })},
		{name: rowLarge, measure: change(moreInFlight, func(l *load) { l.size = message.Large })},
		{name: "1 sender", measure: change("", func(l *load) { l.senders = 1 })},
		{name: rowCrowd, measure: change(moreInFlight, func(l *load) { l.senders = 256 })},
		{name: "gzip", measure: change("", func(l *load) { l.gzip = true })},
		{name: "dedupe off", measure: change(withoutDedupe, nil)},
		{name: "durable mode", measure: change(durable, nil)},
		{name: "durable mode, batches of 1", measure: change(durable, func(l *load) { l.messages = 1 })},
		{name: "three processors", measure: change(withProcessors, nil)},
	}
}

// warmUp is how long what is new runs before it is measured.
const warmUp = time.Second

// measure measures the rtbeat with these settings under a load.
func (b *bench) measure(ctx context.Context, settings string, l load) (sample, error) {
	beat, err := b.beat(ctx, settings)
	if err != nil {
		return sample{}, err
	}
	s, err := l.run(ctx, beat, b.sink, b.bodies.of(l), b.options.duration)
	if err != nil || settings != "" || l != baseline || b.fullLoad != 0 {
		return s, err
	}
	_, b.fullLoad, err = resident(beat.pid())
	return s, err
}

// beat returns the running rtbeat with these settings, and starts it if there is none.
func (b *bench) beat(ctx context.Context, settings string) (*beat, error) {
	if started := b.beats[settings]; started != nil {
		return started, nil
	}
	started, err := startBeat(ctx, b.cores.measured, b.options.binary, b.sink.Addr(), settings)
	if err != nil {
		return nil, err
	}
	b.beats[settings] = started
	_, err = baseline.run(ctx, started, b.sink, b.bodies.of(baseline), warmUp)
	return started, err
}

// measureCeiling starts the ceiling anew in each round: it publishes as long as it runs.
func (b *bench) measureCeiling(ctx context.Context) (s sample, err error) {
	home, err := os.MkdirTemp("", "rtbeat-bench-")
	if err != nil {
		return sample{}, fmt.Errorf("making a home for the ceiling: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	p, err := startLibbeat(ctx, b.cores.measured, b.options.ceiling, home, b.sink.Addr(),
		"queue.mem.flush.timeout: 0s\nlogging.metrics.enabled: false\n") // rtbeat's own default is in cmd/queuedefaults.go
	if err != nil {
		return sample{}, err
	}
	return b.watchPublisher(ctx, p)
}
