package main

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"time"
)

// options are the flags of a run.
type options struct {
	binary, ceiling string
	rounds          int
	duration        time.Duration // of one measurement
	posts           int           // single requests, and round trips beside them
	starts          int
	rest            time.Duration // how long idle CPU is measured
	out, commit     string
	strict, quick   bool
	rows            *regexp.Regexp // nil for a whole run
}

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.StringVar(&o.binary, "binary", "build/rtbeat", "the rtbeat `program` to measure")
	flags.StringVar(&o.ceiling, "ceiling", "build/bench-ceiling", "the `program` of test/bench/ceiling")
	flags.IntVar(&o.rounds, "rounds", 5, "how often each row is measured, all rows in turns")
	flags.DurationVar(&o.duration, "duration", 5*time.Second, "how long one measurement is")
	flags.IntVar(&o.posts, "posts", 1000, "single requests, and as many raw round trips")
	flags.StringVar(&o.out, "out", "", "`folder` for README.md and bench.svg; without it the table is only printed")
	flags.StringVar(&o.commit, "commit", "", "the commit to name in the table")
	flags.BoolVar(&o.strict, "strict", false, "exit with 2 when a target is missed")
	flags.Func("rows", "measure only the rows whose name matches this `pattern`, and nothing else", func(pattern string) (err error) {
		o.rows, err = regexp.Compile(pattern)
		return err
	})
	flags.BoolVar(&o.quick, "quick", false, "two rounds of two seconds, to see whether it works")
	_ = flags.Parse(args) // ExitOnError
	o.starts, o.rest = 5, 10*time.Second
	if o.quick {
		o.rounds, o.duration, o.posts, o.starts = 2, 2*time.Second, 500, 3
		_ = flags.Parse(args) // what is given as well stands over it
	}
	if o.rows != nil && (o.out != "" || o.strict) {
		return o, errors.New("checking the flags: -out and -strict are for whole runs, without -rows")
	}
	if o.rounds < 1 || o.posts < 1 || o.duration <= 0 {
		return o, errors.New("checking the flags: -rounds, -posts and -duration must be positive")
	}
	for _, path := range []*string{&o.binary, &o.ceiling} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return o, fmt.Errorf("finding %s: %w", *path, err)
		}
		*path = absolute
	}
	return o, nil
}
