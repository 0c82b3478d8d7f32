package status

import (
	"math"
	"slices"
	"time"
)

const (
	// interval is the time between two samples.
	interval = 5 * time.Second
	// points is the number of intervals in 15 minutes.
	points = 180
)

// window has the samples of the last 15 minutes, the oldest first.
type window []*sample

// add appends a sample. A full window drops the oldest.
func (w *window) add(s *sample) {
	if *w = append(*w, s); len(*w) > points+1 { // each point of a plot takes two samples
		*w = slices.Delete(*w, 0, 1)
	}
}

// increase returns the growth of a counter.
func increase(from, to Number) float64 { return math.Max(0, float64(to-from)) }

// rate returns the growth of a counter in a second; NaN when no time has passed between the samples.
func rate(from, to *sample, was, is Number) Number {
	if !to.at.After(from.at) {
		return Number(math.NaN())
	}
	return Number(increase(was, is) / to.at.Sub(from.at).Seconds())
}

// quantile estimates a quantile of the observations between two snapshots of a histogram, as Prometheus does: the observations of a
// bucket are spread evenly. It is NaN without observations, and the last bound for a value beyond it.
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
