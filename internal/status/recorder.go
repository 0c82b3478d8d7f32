package status

import (
	"context"
	"sync"
	"time"
)

const (
	// freshFor is how long a snapshot serves all requests, so that many watchers cost no more than one.
	freshFor = time.Second
	// maxChanges is how many changes of the verdict are kept.
	maxChanges = 12
	// lately is how far the verdict looks back.
	lately = 30 * time.Second
)

// change is a moment at which the verdict changed.
type change struct {
	at    time.Time
	state state
}

// sample is a snapshot at a moment.
type sample struct {
	Numbers  // without Failures: their texts are always the same, and recorder has them
	at       time.Time
	failures []float64 // the totals of recorder.failures
}

// recorder keeps the snapshots of the last 15 minutes. Its methods are safe for use from any goroutine.
type recorder struct {
	settings Settings
	started  time.Time

	mu       sync.Mutex
	window   window
	newest   *sample     // may be newer than those of the window
	failures []Failure   // of the newest
	seen     []time.Time // when each of failures was last counted
	verdict  Verdict
	changes  []change // the newest last
}

func newRecorder(settings Settings) *recorder {
	return &recorder{settings: settings, started: time.Now()}
}

// run takes a sample at once and then every interval, until ctx ends.
func (r *recorder) run(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		r.mu.Lock()
		r.observe(time.Now())
		r.window.add(r.newest)
		r.mu.Unlock()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// observe takes a snapshot and makes the verdict. The caller holds the lock.
func (r *recorder) observe(now time.Time) {
	s := &sample{Numbers: r.settings.Snapshot(), at: now}
	r.failures, s.Failures = s.Failures, nil
	if r.seen == nil {
		r.seen = make([]time.Time, len(r.failures))
	}
	for i, f := range r.failures {
		s.failures = append(s.failures, f.Total)
		if r.newest == nil && f.Total > 0 || r.newest != nil && f.Total > r.newest.failures[i] {
			r.seen[i] = now
		}
	}
	r.newest = s
	r.judge(now)
}

// before is the newest sample that is at least as old as age, or the oldest one.
func (r *recorder) before(age time.Duration) *sample {
	if s := r.window.before(r.newest.at, age); s != nil {
		return s
	}
	return r.newest
}

// judge makes the verdict, and keeps a change of it.
func (r *recorder) judge(now time.Time) {
	v := r.facts(now).verdict()
	if n := len(r.changes); n == 0 || r.changes[n-1].state != v.State {
		if n == maxChanges {
			r.changes = append(r.changes[:0], r.changes[1:]...)
		}
		r.changes = append(r.changes, change{now, v.State})
	}
	if v.Since.IsZero() {
		v.Since = r.changes[len(r.changes)-1].at
	}
	r.verdict = v
}

// report returns what the page shows. It is no older than freshFor.
func (r *recorder) report() *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.newest == nil || now.Sub(r.newest.at) >= freshFor {
		r.observe(now)
	}
	return r.compose()
}
