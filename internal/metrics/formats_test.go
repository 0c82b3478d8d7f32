package metrics_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/metrics"
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

// A former name is the same in each format. OpenMetrics would add _total to the name of a counter.
func TestRenamedCounter(t *testing.T) {
	r := metrics.NewRegistry()
	counter := r.Section("one").Counter(declared("batches_total"))
	r.Section("one").RenamedCounter(declared("batches_received"), func() float64 { return metrics.Value(counter) })
	counter.Add(5)
	for format, untyped := range map[string]string{plain: "untyped", openMetrics: "unknown"} {
		text, contentType := scrape(t, r.Handler(), format)
		media, _, _ := strings.Cut(format, ";")
		require.True(t, strings.HasPrefix(contentType, media), contentType)
		lines := strings.Split(strings.ReplaceAll(string(text), ".0\n", "\n"), "\n")
		for _, line := range []string{"# TYPE rtbeat_batches_received " + untyped, "rtbeat_batches_received 5", "rtbeat_batches_total 5"} {
			require.Contains(t, lines, line, format)
		}
	}
}

// A scraper that asks for protobuf gets both kinds of buckets, any other the classic ones.
func TestNativeHistograms(t *testing.T) {
	r := metrics.NewRegistry()
	r.Section("one").Histogram(metrics.Declaration{Name: "rtbeat_wait_seconds", Help: "A wait.", Bounds: []float64{1}}).Observe(.5)
	text, contentType := scrape(t, r.Handler(), protobuf)
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
	require.Equal(t, 1, histograms)
}
