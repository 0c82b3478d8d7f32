package batch

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// rxtxMessage returns a message as rxtx sends it, about 370 bytes long.
func rxtxMessage(i int) string {
	return fmt.Sprintf(`{"seq":"%020d","time":"2026-03-01T12:%02d:%02d.123456789Z","uuid":"%08x-1b7e-4a53-9a5e-2f2f3c0d4e5f",`+
		`"producer":"sensor-gateway-07","label":"environment","key":"line-4/oven-2","payload":{"temperature":%d.25,`+
		`"humidity":0.%03d,"pressure":101325,"counter":%d,"alarm":false,"note":null,"unit":"celsius/percent","tags":["north","hall-b"]}}`,
		i, i/60%60, i%60, i, 180+i%40, i%1000, 9007199254740993+i)
}

func rxtxBatch(n int) []byte {
	messages := make([]string, n)
	for i := range messages {
		messages[i] = rxtxMessage(i)
	}
	return fmt.Appendf(nil, `{"uuid":"5d0a4a32-98dc-4c2b-8a73-0d7c7a3c6d11","size":%d,"messages":[%s]}`,
		n, strings.Join(messages, ","))
}

func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{1, 500} {
		benchmarkDecode(b, fmt.Sprintf("messages=%d", n), rxtxBatch(n), n, Options{})
	}
}

func BenchmarkDecodeLines(b *testing.B) {
	const n = 500
	var body []byte
	for i := range n {
		body = append(append(body, rxtxMessage(i)...), '\n')
	}
	benchmarkDecode(b, fmt.Sprintf("messages=%d", n), body, n, Options{Lines: true})
}

// BenchmarkDecodeCharged decodes a heavy body, which is charged often.
func BenchmarkDecodeCharged(b *testing.B) {
	body := []byte(`[{"a":[` + strings.TrimSuffix(strings.Repeat(`{"":0},`, 1<<14), ",") + `]}]`)
	benchmarkDecode(b, "tiny-objects", body, 1, Options{Charge: func(int64) error { return nil }})
}

func benchmarkDecode(b *testing.B, name string, body []byte, messages int, o Options) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for b.Loop() {
			if _, err := Decode(body, o); err != nil {
				b.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		total := float64(b.N) * float64(messages)
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/total, "ns/msg")
		b.ReportMetric(float64(after.Mallocs-before.Mallocs)/total, "allocs/msg")
	})
}
