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

// window is the newest samples, of the last 15 minutes.
type window struct {
	ring [points + 1]*sample // each point of a plot takes two samples
	next int                 // where the next one goes
	n    int
}

// add puts a sample behind the others; the oldest goes when there is no room.
func (w *window) add(s *sample) {
	w.ring[w.next] = s
	w.next = (w.next + 1) % len(w.ring)
	w.n = min(w.n+1, len(w.ring))
}

// at is the sample with so many newer ones behind it; nil when it is not kept.
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

// increase is by how much a counter has grown between two samples; NaN when that is not known.
func increase(from, to *sample, r reading) float64 {
	if from == nil || to == nil {
		return math.NaN()
	}
	return math.Max(0, to.values[r]-from.values[r])
}

// rate is an increase by the second.
func rate(from, to *sample, r reading) float64 {
	if from == nil || to == nil || !to.at.After(from.at) {
		return math.NaN()
	}
	return increase(from, to, r) / to.at.Sub(from.at).Seconds()
}

// quantile estimates a quantile of what a histogram took in between two samples, as Prometheus does: evenly spread
// within a bucket. NaN when there was nothing, and the last bound for what lies beyond it.
func quantile(q float64, bounds []float64, from, to *sample) float64 {
	if from == nil || to == nil || len(bounds) == 0 {
		return math.NaN()
	}
	count := func(i int) float64 { return float64(to.ack[i] - min(from.ack[i], to.ack[i])) }
	all := count(len(bounds))
	if all == 0 {
		return math.NaN()
	}
	rank := q * all
	lower, below := 0.0, 0.0
	for i, upper := range bounds {
		within := count(i)
		if within >= rank {
			if within == below {
				return upper
			}
			return lower + (upper-lower)*(rank-below)/(within-below)
		}
		lower, below = upper, within
	}
	return bounds[len(bounds)-1]
}
