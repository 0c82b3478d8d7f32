package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// bench is one run.
type bench struct {
	options options
	cores   cores
	sink    *lumbersink.Sink
	folder  string // for files of this run
	window  string // the file of captured events
	bodies  bodies
	beats   map[string]*beat // those that run, by their settings

	fullLoad int64 // the most memory that rtbeat has had by the end of the first baseline
}

// results are all that a run found.
type results struct {
	rows     []*row
	steps    []*step
	singles  singles
	rest     rest
	crowd    crowd
	fullLoad int64
	peak     int64 // the most memory that rtbeat with its default limits had, over the whole run and while filling
}

func run(ctx context.Context, o options, c cores) (err error) {
	for _, program := range []string{o.binary, o.ceiling} {
		if _, err := os.Stat(program); err != nil {
			return fmt.Errorf("finding what to measure (make bench builds it): %w", err)
		}
	}
	b := &bench{options: o, cores: c, bodies: bodies{}, beats: map[string]*beat{}}
	b.folder, err = os.MkdirTemp("", "rtbeat-bench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.folder)) }()
	b.sink, err = lumbersink.Listen("127.0.0.1:0", lumbersink.WithDiscard())
	if err != nil {
		return fmt.Errorf("starting the sink: %w", err)
	}
	began := describe()
	found, err := b.all(ctx)
	for _, beat := range b.beats {
		err = errors.Join(err, beat.stop())
	}
	if err := errors.Join(err, b.sink.Close()); err != nil {
		return err
	}
	return publishReport(os.Stdout, o, began, found)
}

// all measures everything.
func (b *bench) all(ctx context.Context) (*results, error) {
	if err := b.capture(ctx); err != nil {
		return nil, err
	}
	found := &results{rows: b.rows()}
	if only := b.options.rows; only != nil {
		found.rows = slices.DeleteFunc(found.rows, func(r *row) bool { return !only.MatchString(r.name) })
	}
	for round := range b.options.rounds { // A B A B: what else the machine does meets all rows alike
		for _, r := range found.rows {
			s, err := r.measure(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
			r.samples = append(r.samples, s)
			say("round %d of %d: %-45s %7.2f CPU s a million events, %7.0f events/s", round+1, b.options.rounds, r.name, s.cpuPerMillion(), s.rate())
		}
	}
	if b.options.rows != nil {
		return found, nil
	}
	var err error
	say("open loop, single requests")
	if found.steps, err = b.openLoops(ctx, found.row(rowTwenty).rate().median); err != nil {
		return nil, err
	}
	if found.singles, err = b.singleRequests(ctx); err != nil {
		return nil, fmt.Errorf("single requests: %w", err)
	}
	say("idle connections")
	if found.crowd, err = b.crowded(ctx); err != nil {
		return nil, fmt.Errorf("idle connections: %w", err)
	}
	found.fullLoad = b.fullLoad
	if _, err = b.measure(ctx, "", filling); err != nil {
		return nil, fmt.Errorf("filling the in-flight limit: %w", err)
	}
	if _, found.peak, err = resident(b.beats[""].pid()); err != nil {
		return nil, err
	}
	say("start and rest")
	if found.rest, err = b.starting(ctx); err != nil {
		return nil, fmt.Errorf("start and rest: %w", err)
	}
	return found, nil
}

func (r *results) row(name string) *row {
	for _, row := range r.rows {
		if row.name == name {
			return row
		}
	}
	return &row{}
}

// say tells on standard error how far the run is: the table alone goes to standard output.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}
