package metrics_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"
)

// Formats that a scraper may ask for.
const (
	plain       = "text/plain;version=0.0.4"
	openMetrics = "application/openmetrics-text;version=1.0.0"
	protobuf    = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)

// scrape asks the handler for a format.
func scrape(t testing.TB, handler http.Handler, format string) (body []byte, contentType string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
	req.Header.Set("Accept", format)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, req)
	require.Equal(t, http.StatusOK, recorder.Code, recorder.Body)
	return recorder.Body.Bytes(), recorder.Header().Get("Content-Type")
}

func moved() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	m := newMetrics(registry)
	m.Batch(5, 0)
	m.Acks(5)
	m.Answer(http.StatusOK, "delivered")
	m.Delivered(time.Second)
	return registry
}

func TestNoRuleOfPrometheusIsBroken(t *testing.T) {
	problems, err := testutil.GatherAndLint(moved())
	require.NoError(t, err)
	require.Empty(t, problems)

	m := newMetrics(prometheus.NewRegistry())
	m.Answer(http.StatusOK, "delivered")
	text, _ := scrape(t, m.Handler(), plain)
	problems, err = promlint.New(bytes.NewReader(text)).Lint()
	require.NoError(t, err)
	require.Empty(t, problems, "as promtool sees it")
}

// The names of the first rtbeat are what they were, whatever format is asked for.
func TestOldNames(t *testing.T) {
	m := newMetrics(prometheus.NewRegistry())
	m.Batch(5, 0)
	m.Acks(3)
	for format, untyped := range map[string]string{plain: "untyped", openMetrics: "unknown"} {
		text, contentType := scrape(t, m.Handler(), format)
		media, _, _ := strings.Cut(format, ";")
		require.True(t, strings.HasPrefix(contentType, media), contentType)
		for _, line := range []string{
			"# TYPE rtbeat_batches_received " + untyped, "rtbeat_batches_received 1", "# TYPE rtbeat_messages_parsed " + untyped, "rtbeat_messages_parsed 5",
			"# TYPE rtbeat_acks_received " + untyped, "rtbeat_acks_received 3", "# TYPE rtbeat_current_acks gauge", "rtbeat_current_acks 3",
			"rtbeat_batches_total 1", "rtbeat_messages_total 5", "rtbeat_events_acked_total 3",
		} {
			lines := strings.Split(strings.ReplaceAll(string(text), ".0\n", "\n"), "\n")
			require.Contains(t, lines, line, format)
		}
	}
}

// What OpenMetrics asks for: one TYPE and HELP for each family, before its samples; a counter's samples end in _total and
// its family does not; no family twice; the end is marked.
func TestOpenMetrics(t *testing.T) {
	m := newMetrics(prometheus.NewRegistry())
	m.Answer(http.StatusOK, "delivered")
	m.Delivered(time.Second)
	text, contentType := scrape(t, m.Handler(), openMetrics)
	require.Contains(t, contentType, "application/openmetrics-text; version=1.0.0")
	body, ended := strings.CutSuffix(string(text), "# EOF\n")
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
	require.Equal(t, "unknown", types["rtbeat_batches_received"])
}

// A scraper that asks for protobuf gets both kinds of buckets, any other the classic ones.
func TestNativeHistograms(t *testing.T) {
	m := newMetrics(prometheus.NewRegistry())
	m.Delivered(time.Second)
	m.Waited(time.Millisecond)
	text, contentType := scrape(t, m.Handler(), protobuf)
	decoder := expfmt.NewDecoder(bytes.NewReader(text), expfmt.ResponseFormat(http.Header{"Content-Type": {contentType}}))
	histograms := 0
	for {
		var family dto.MetricFamily
		err := decoder.Decode(&family)
		if err == io.EOF { //nolint:errorlint // Decode returns it as it is
			break
		}
		require.NoError(t, err)
		if family.GetType() == dto.MetricType_HISTOGRAM && strings.HasPrefix(family.GetName(), "rtbeat_") {
			histograms++
			h := family.GetMetric()[0].GetHistogram()
			require.NotEmpty(t, h.GetBucket(), family.GetName())
			require.NotEmpty(t, h.GetPositiveSpan(), family.GetName())
			require.EqualValues(t, 3, h.GetSchema(), "a factor of 1.09, the next below 1.1")
		}
	}
	require.Equal(t, 2, histograms)
}
