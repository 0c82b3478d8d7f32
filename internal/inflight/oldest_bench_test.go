package inflight_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// BenchmarkOldest measures a scrape with many batches in flight.
func BenchmarkOldest(b *testing.B) {
	for _, batches := range []int{1, 100_000} {
		b.Run(strconv.Itoa(batches), func(b *testing.B) {
			registry := inflight.NewRegistry(settings())
			admission := inflight.NewAdmission(1 << 30)
			for range batches {
				reservation, err := admission.Open(0)
				require.NoError(b, err)
				token, err := registry.Claim([]batch.Message{{}}, inflight.Origin{Received: time.Now()}, reservation)
				require.NoError(b, err)
				handOver(token, 1)
			}
			b.ReportAllocs()
			for b.Loop() {
				registry.Oldest()
			}
		})
	}
}
