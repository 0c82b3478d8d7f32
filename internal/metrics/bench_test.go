package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// discard is a response that nobody reads.
type discard struct {
	header http.Header
	bytes  int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { d.bytes += len(p); return len(p), nil }

// BenchmarkScrape is a whole scrape, those of the Go runtime and the process included, with as many series as a process has.
func BenchmarkScrape(b *testing.B) {
	m := newMetrics(prometheus.NewRegistry())
	for i := range 26 { // the outcomes that there are
		m.Expect(400+i, fmt.Sprint("reason", i))
	}
	for i := range 1000 {
		m.Delivered(time.Duration(i) * time.Millisecond)
		m.Waited(time.Duration(i) * time.Microsecond)
	}
	for name, format := range map[string]string{"text": plain, "openmetrics": openMetrics, "protobuf": protobuf} {
		b.Run(name, func(b *testing.B) {
			handler := m.Handler()
			req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/metrics", http.NoBody)
			req.Header.Set("Accept", format)
			b.ReportAllocs()
			for b.Loop() {
				d := &discard{header: http.Header{}}
				handler.ServeHTTP(d, req)
				b.ReportMetric(float64(d.bytes), "bytes/scrape")
			}
		})
	}
}

// BenchmarkCounts is what a batch pays for being counted.
func BenchmarkCounts(b *testing.B) {
	m := newMetrics(prometheus.NewRegistry())
	b.ReportAllocs()
	for b.Loop() {
		m.Request()()
		m.Read(100)
		m.Batch(1, 0)
		m.Coalesced(0, 0)
		m.Waited(time.Microsecond)
		m.Acks(1)
		m.Delivered(time.Millisecond)
		m.Answer(http.StatusOK, "delivered")
	}
}
