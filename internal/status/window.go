package status

import (
	"math"
	"time"
)

const (
	// interval is the time between two samples.
	interval = 5 * time.Second
	// points is how many intervals are kept: 15 minutes.
	points = 180
)

// window has the samples of the last 15 minutes.
type window struct {
	ring [points + 1]*sample // each point of a plot takes two samples
	next int                 // where the next one goes
	n    int
}

// add appends a sample. A full window drops the oldest.
func (w *window) add(s *sample) {
	w.ring[w.next] = s
	w.next = (w.next + 1) % len(w.ring)
	w.n = min(w.n+1, len(w.ring))
}

// at is the sample that is older than back others; nil when it is not kept.
func (w *window) at(back int) *sample {
	if back < 0 || back >= w.n {
		return nil
	}
	return w.ring[(w.next-1-back+2*len(w.ring))%len(w.ring)]
}

// before is the newest sample that is at least as old as age, seen from now, or the oldest one; nil when there is none.
func (w *window) before(now time.Time, age time.Duration) *sample {
	for back := range w.n {
		if s := w.at(back); now.Sub(s.at) >= age {
			return s
		}
	}
	return w.at(w.n - 1)
}

// increase is the growth of a counter.
func increase(from, to Number) float64 { return math.Max(0, float64(to-from)) }

// rate is the growth of a counter in a second; NaN when no time has passed between the samples.
func rate(from, to *sample, was, is Number) Number {
	if !to.at.After(from.at) {
		return Number(math.NaN())
	}
	return Number(increase(was, is) / to.at.Sub(from.at).Seconds())
}

// quantile estimates a quantile of the observations between two snapshots of a histogram, as Prometheus does: they are evenly
// spread within a bucket. It is NaN when there were none, and the last bound for a value beyond it.
func quantile(q float64, from, to Histogram) Number {
	if len(to.Bounds) == 0 {
		return Number(math.NaN())
	}
	count := func(i int) float64 { return float64(to.Counts[i] - min(from.Counts[i], to.Counts[i])) }
	all := count(len(to.Bounds))
	if all == 0 {
		return Number(math.NaN())
	}
	rank := q * all
	lower, below := 0.0, 0.0
	for i, upper := range to.Bounds {
		within := count(i)
		if within >= rank {
			if within == below {
				return Number(upper)
			}
			return Number(lower + (upper-lower)*(rank-below)/(within-below))
		}
		lower, below = upper, within
	}
	return Number(to.Bounds[len(to.Bounds)-1])
}
