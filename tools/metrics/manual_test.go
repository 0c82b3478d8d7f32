package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/beater"
	"github.com/txn2/rtbeat/internal/metrics"
)

// all has every metric of rtbeat, before the first event.
func all(t testing.TB) *metrics.Registry {
	t.Helper()
	r := metrics.NewRegistry()
	require.NoError(t, beater.DeclareMetrics(r))
	return r
}

// Each metric has a sentence of help, and the meaning of a change.
func TestDeclarationsAreComplete(t *testing.T) {
	for _, section := range all(t).Sections() {
		for _, m := range section.Declared {
			require.True(t, strings.HasSuffix(m.Help, "."), "the help of %s is a sentence", m.Name)
			require.NotEmpty(t, m.Moves, m.Name)
			require.NotEmpty(t, m.Type, m.Name)
		}
	}
}

// The page names only metrics that exist.
func TestTheManualNamesMetricsThatExist(t *testing.T) {
	text, err := os.ReadFile("../../" + page)
	require.NoError(t, err)
	var names []string
	for _, section := range all(t).Sections() {
		for _, m := range section.Declared {
			names = append(names, m.Name)
		}
	}
	for _, name := range regexp.MustCompile(`rtbeat_[a-z_]+[a-z]`).FindAllString(string(text), -1) {
		if name != "rtbeat_libbeat" { // rtbeat_libbeat_*
			require.Contains(t, names, name)
		}
	}
}

func TestNoRuleOfPrometheusIsBroken(t *testing.T) {
	r := all(t)
	problems, err := testutil.GatherAndLint(r)
	require.NoError(t, err)
	require.Empty(t, problems)

	problems, err = promlint.New(bytes.NewReader(scrape(t, r, "text/plain;version=0.0.4"))).Lint()
	require.NoError(t, err)
	require.Empty(t, problems, "as promtool sees it")
}

// scrape asks for a format.
func scrape(t testing.TB, r *metrics.Registry, format string) []byte {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
	req.Header.Set("Accept", format)
	recorder := httptest.NewRecorder()
	r.Handler().ServeHTTP(recorder, req)
	require.Equal(t, http.StatusOK, recorder.Code, recorder.Body)
	return recorder.Body.Bytes()
}

// The rules of OpenMetrics: one TYPE and HELP for each family, before its samples; the samples of a counter end in _total and
// its family does not; no family twice; the end is marked.
func TestOpenMetrics(t *testing.T) {
	body, ended := strings.CutSuffix(string(scrape(t, all(t), "application/openmetrics-text;version=1.0.0")), "# EOF\n")
	require.True(t, ended, "no # EOF")

	types := make(map[string]string)
	family := ""
	for line := range strings.Lines(body) {
		words := strings.Fields(line)
		switch {
		case words[0] == "#" && words[1] == "TYPE":
			family = words[2]
			if family != "go_memstats_alloc_bytes" { // a gauge and a counter of the Go collector, which Prometheus takes
				require.NotContains(t, types, family, "twice")
			}
			types[family] = words[3]
		case words[0] == "#":
			require.Contains(t, []string{"HELP", "UNIT"}, words[1])
		default:
			name, _, _ := strings.Cut(words[0], "{")
			suffix, of := strings.CutPrefix(name, family)
			require.True(t, of, "%s stands under %s", name, family)
			switch types[family] {
			case "counter":
				require.Equal(t, "_total", suffix, name)
			case "histogram":
				require.Contains(t, []string{"_bucket", "_sum", "_count"}, suffix)
			case "summary": // of the Go runtime
				require.Contains(t, []string{"", "_sum", "_count"}, suffix)
			default:
				require.Empty(t, suffix, name)
			}
		}
	}
	require.Equal(t, "counter", types["rtbeat_batches"])
	for _, name := range []string{"rtbeat_batches_received", "rtbeat_messages_parsed", "rtbeat_acks_received"} {
		require.Equal(t, "unknown", types[name])
	}
}

// discard counts the bytes of a response.
type discard struct {
	header http.Header
	bytes  int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { d.bytes += len(p); return len(p), nil }

// BenchmarkScrape is a whole scrape, with the metrics of the Go runtime and the process.
func BenchmarkScrape(b *testing.B) {
	for name, format := range map[string]string{
		"text":        "text/plain;version=0.0.4",
		"openmetrics": "application/openmetrics-text;version=1.0.0",
		"protobuf":    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
	} {
		b.Run(name, func(b *testing.B) {
			handler := all(b).Handler()
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
