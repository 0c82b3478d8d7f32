package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/metrics"
)

// The queue on disk is read once for a scrape. In memory mode there is none, and nothing says that it is empty.
func TestTheQueueOnDiskIsReadOnceForAScrape(t *testing.T) {
	registry, s, reads := prometheus.NewRegistry(), sources(), 0
	s.OnDisk = func() metrics.OnDisk { reads++; return metrics.OnDisk{HasFailed: true} }
	metrics.New(registry, s, labels(), metrics.Build{}, "persisted")
	values := gather(t, registry)
	require.Equal(t, 1, reads)
	require.InDelta(t, 1, values["rtbeat_queue_failed"], 0)
	require.InDelta(t, 0, values["rtbeat_queue_full"], 0)

	registry, s.OnDisk = prometheus.NewRegistry(), nil
	metrics.New(registry, s, labels(), metrics.Build{}, "delivered")
	for name := range gather(t, registry) {
		require.NotContains(t, name, "rtbeat_queue_")
	}
}

// What scrapes take is bounded, however many ask at once.
func TestScrapesAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, more = 64, 10
		gate := make(chan struct{})
		s := sources()
		s.Bytes = func() int64 { <-gate; return 0 }
		handler := metrics.New(prometheus.NewRegistry(), s, labels(), metrics.Build{}, "delivered").Handler()
		codes := make(chan int, limit+more)
		for range limit + more {
			go func() {
				rec := httptest.NewRecorder()
				handler.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
				codes <- rec.Code
			}()
		}
		synctest.Wait()
		require.Len(t, codes, more)
		for range more {
			require.Equal(t, http.StatusServiceUnavailable, <-codes)
		}
		close(gate)
		for range limit {
			require.Equal(t, http.StatusOK, <-codes)
		}
	})
}
