package status

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// freshFor is how long a reading serves all who ask, so that many who watch cost no more than one.
	freshFor = time.Second
	// maxChanges is how many changes of the verdict are kept.
	maxChanges = 12
	// lately is how far the verdict looks back.
	lately = 30 * time.Second
)

// change is the moment at which the verdict became another one.
type change struct {
	at    time.Time
	state state
}

// recorder reads the metrics and remembers the last 15 minutes of them. Its methods are safe for use from any goroutine.
type recorder struct {
	gatherer prometheus.Gatherer
	settings Settings
	started  time.Time

	mu      sync.Mutex
	window  window
	newest  *sample // may be newer than those of the window
	kinds   []kind
	seen    [maxErrors]time.Time // when a kind of error was last counted
	bounds  []float64            // of ackHistogram, in seconds
	words   words
	verdict Verdict
	changes []change // the newest last
}

func newRecorder(gatherer prometheus.Gatherer, settings Settings) *recorder {
	return &recorder{gatherer: gatherer, settings: settings, started: time.Now()}
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

// observe reads the metrics, and judges them. The caller holds the lock. Where some cannot be gathered, the others count.
func (r *recorder) observe(now time.Time) {
	families, _ := r.gatherer.Gather() // what could be gathered comes beside the error, and the rest is unknown
	last := r.newest
	r.newest = r.read(families, now)
	for i := range r.kinds {
		if total := r.newest.errors[i]; last == nil && total > 0 || last != nil && total > last.errors[i] {
			r.seen[i] = now
		}
	}
	r.judge(now)
}

// judge makes the verdict, and notes when it is another one than before.
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

// report is what the page shows, read no longer than freshFor ago.
func (r *recorder) report() *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.newest == nil || now.Sub(r.newest.at) >= freshFor {
		r.observe(now)
	}
	return r.compose()
}
