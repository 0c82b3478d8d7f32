package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/metrics"
)

// The number of scrapes at once is bounded.
func TestScrapesAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, more = 64, 10
		gate := make(chan struct{})
		r := metrics.NewRegistry()
		r.Section("one").GaugeFunc(declared("bytes"), func() float64 { <-gate; return 0 })
		handler := r.Handler()
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
