package main

import (
	"errors"
	"fmt"
)

// errMissed is the end of a strict run that missed a target.
var errMissed = errors.New("a target was missed")

// target is one thing that is asked of rtbeat. All but the last few are ratios within a run: other machines have other figures.
type target struct {
	what       string
	got, limit float64
	atLeast    bool
	format     string // of both
	skipped    string // why there is nothing to judge
}

func (t target) met() bool {
	if t.atLeast {
		return t.got >= t.limit
	}
	return t.got <= t.limit
}

func (t target) verdict() string {
	switch {
	case t.skipped != "":
		return "skipped: " + t.skipped
	case t.met():
		return "pass"
	}
	return "**fail**"
}

func (t target) bound() string {
	sign := "≤"
	if t.atLeast {
		sign = "≥"
	}
	return sign + " " + fmt.Sprintf(t.format, t.limit)
}

const (
	times   = "%.2f ×"
	mb      = "%.0f MB"
	percent = "%.3f %%"
	seconds = "%.2f s"
)

// targets judges a run.
func (r *results) targets() []target {
	cpu := func(name string) float64 { return r.row(name).cpu().median }
	rate := func(name string) float64 { return r.row(name).rate().median }
	single := func(p float64) float64 {
		return percentile(r.singles.posts, p).Seconds() / percentile(r.singles.raw, p).Seconds()
	}
	return []target{
		{what: "CPU an event, 500 × 16, beside libbeat's ceiling", got: cpu(rowBaseline) / cpu(rowCeiling), limit: 1.3, format: times},
		{what: "CPU an event, batches of 5000 beside 500", got: cpu(rowLong) / cpu(rowBaseline), limit: 1.05, format: times},
		{what: "CPU of a request of one message beside that of an event in batches of 500", got: cpu(rowSingle) / cpu(rowBaseline), limit: 12, format: times},
		{what: "throughput of 256 senders beside 16", got: rate(rowCrowd) / rate(rowBaseline), limit: 0.95, atLeast: true, format: times},
		{what: "POST of one message beside a raw round trip, p50", got: single(50), limit: 3, format: times},
		{what: "POST of one message beside a raw round trip, p99", got: single(99), limit: 5, format: times},
		{what: "throughput with 10,000 idle connections beside none", got: over(r.crowd.with, sample.rate).median / over(r.crowd.without, sample.rate).median, limit: 0.95, atLeast: true, format: times, skipped: r.crowd.skipped},
		{what: "memory of 10,000 idle connections", got: megabytes(r.crowd.memory), limit: 150, format: mb, skipped: r.crowd.skipped},
		{what: "start to the first 200", got: percentile(r.rest.starts, 50).Seconds(), limit: 0.4, format: seconds},
		{what: "CPU at rest", got: r.rest.cpu * 100, limit: 0.1, format: percent},
		{what: "resident at rest", got: megabytes(r.rest.resident), limit: 70, format: mb},
		{what: "resident at most, 500 × 16", got: megabytes(r.fullLoad), limit: 200, format: mb},
	}
}

// missed tells whether a target was not met.
func (r *results) missed() bool {
	for _, t := range r.targets() {
		if t.skipped == "" && !t.met() {
			return true
		}
	}
	return false
}

func megabytes(bytes int64) float64 { return float64(bytes) / 1e6 }
