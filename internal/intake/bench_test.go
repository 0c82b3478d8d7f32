package intake

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/txn2/rtbeat/internal/dedupe"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/metrics"
	"github.com/txn2/rtbeat/internal/source"
)

// BenchmarkHandler is a POST from its headers to its answer, without network and events. The output acknowledges at once.
func BenchmarkHandler(b *testing.B) {
	for _, n := range []int{1, 500} {
		b.Run(fmt.Sprintf("messages=%d", n), func(b *testing.B) { benchmarkHandler(b, n) })
	}
}

func benchmarkHandler(b *testing.B, n int) {
	b.Helper()
	registry := inflight.NewRegistry(inflight.Settings{Dedupe: dedupe.Settings{Enabled: true, Window: time.Hour, MaxEntries: 1 << 18}})
	server := New(Settings{
		Timeout: time.Minute, ReadTimeout: time.Minute, IdleTimeout: time.Minute, MaxBody: 16 << 20, MaxHeader: 8 << 10,
		MaxMessages: 1000, MaxDepth: 20,
	}, Parts{
		Sources:   []Source{{Source: source.Default(source.DefaultSettings())}},
		Admission: inflight.NewAdmission(1 << 30), Registry: registry, Metrics: metrics.NewRegistry(),
		Connections: anyConnections{}, Log: &fakeLog{quiet: true},
	})
	defer server.abort(nil)
	var worker sync.WaitGroup
	worker.Go(func() { acknowledge(registry) })
	defer worker.Wait()
	defer registry.CloseQueue()

	messages := make([]string, n)
	for i := range messages {
		messages[i] = fmt.Sprintf(`{"seq":"20261101-%012d","time":"2026-11-01T12:00:00.123456789Z","uuid":"UUID-4000-8000-%012d",`+
			`"producer":"gateway-17","label":"meter","key":"meter-%06d","payload":{"reading":%d.5678,"unit":"kWh","quality":"good",`+
			`"tariff":2,"valid":true,"location":{"lat":52.520008,"lon":13.404954},"note":null,"counter":%d}}`, i, i, i, i, 9007199254740993+i)
	}
	text := []byte(`{"messages":[` + strings.Join(messages, ",") + `]}`)
	number := 0
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		number++
		body := bytes.ReplaceAll(text, []byte("UUID"), fmt.Appendf(nil, "%08d", number))
		req := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/in", bytes.NewReader(body))
		w := httptest.NewRecorder()
		server.http.Handler.ServeHTTP(w, req)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/msg")
}

// acknowledge takes batches as a worker does, and acknowledges them as the output does, until the queue is closed.
func acknowledge(registry *inflight.Registry) {
	var events []any
	for batch := registry.Take(); batch != nil; batch = registry.Take() {
		events = events[:0]
		for _, e, ok := batch.Next(); ok; _, e, ok = batch.Next() {
			e.ReachOutput()
			events = append(events, e)
		}
		registry.Ack(events)
	}
}
