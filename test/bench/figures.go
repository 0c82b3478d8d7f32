package main

import (
	"math"
	"slices"
	"time"
)

// figure is the median of some rounds, with the smallest and the largest.
type figure struct{ median, min, max float64 }

func figureOf(values []float64) figure {
	if len(values) == 0 {
		return figure{}
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	median := sorted[half]
	if len(sorted)%2 == 0 {
		median = (sorted[half-1] + sorted[half]) / 2
	}
	return figure{median: median, min: sorted[0], max: sorted[len(sorted)-1]}
}

// over is the figure of one property of the samples.
func over(samples []sample, property func(sample) float64) figure {
	var values []float64
	for _, s := range samples {
		values = append(values, property(s))
	}
	return figureOf(values)
}

// percentile is the smallest duration that at least p percent of them do not exceed. 0 if there are none.
func percentile(took []time.Duration, p float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	rank := int(math.Ceil(p/100*float64(len(sorted)) - 1e-9)) // from 1; 99.9 is none that floats have
	return sorted[min(max(rank, 1), len(sorted))-1]
}
