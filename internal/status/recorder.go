package status

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/txn2/rtbeat/internal/intake"
)

const (
	// freshFor is the time for which a snapshot serves all requests, so that many readers cost as much as one.
	freshFor = time.Second
	// maxChanges is the number of changes of the verdict that are kept.
	maxChanges = 12
	// lately is the time that the verdict looks back.
	lately = 30 * time.Second
)

// sample is a snapshot at a moment.
type sample struct {
	Numbers  // without Failures: recorder has their texts, which never change
	at       time.Time
	failures []float64 // the totals of recorder.failures
}

// recorder keeps the snapshots of the last 15 minutes. Its methods are safe for use from any goroutine.
type recorder struct {
	settings Settings
	started  time.Time

	mu       sync.Mutex
	window   window
	newest   *sample          // may be newer than the window
	failures []intake.Failure // of the newest
	seen     []time.Time      // when each of failures was last counted
	verdict  Verdict
	changes  []Change // the newest last
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
	r.recordVerdict()
}

// before returns the newest sample that is at least as old as age, or the oldest one.
func (r *recorder) before(age time.Duration) *sample {
	for _, s := range slices.Backward(r.window) {
		if r.newest.at.Sub(s.at) >= age {
			return s
		}
	}
	if len(r.window) == 0 {
		return r.newest
	}
	return r.window[0]
}

// recordVerdict makes the verdict of the newest sample, and keeps a change of it.
func (r *recorder) recordVerdict() {
	v := r.facts().verdict()
	if n := len(r.changes); n == 0 || r.changes[n-1].State != v.State {
		if n == maxChanges {
			r.changes = slices.Delete(r.changes, 0, 1)
		}
		r.changes = append(r.changes, Change{r.newest.at.UTC(), v.State})
	}
	if v.Since.IsZero() {
		v.Since = r.changes[len(r.changes)-1].At
	}
	v.Since = v.Since.UTC()
	r.verdict = v
}

// report returns the content of the page. It is no older than freshFor.
func (r *recorder) report() *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.newest == nil || now.Sub(r.newest.at) >= freshFor {
		r.observe(now)
	}
	return r.compose()
}
