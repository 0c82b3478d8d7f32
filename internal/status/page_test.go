package status

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/stretchr/testify/require"
)

func TestHeaders(t *testing.T) {
	r := newRig(t)
	types := map[string]string{
		"/": "text/html; charset=utf-8", "/status.json": "application/json", "/status.css": "text/css; charset=utf-8",
		"/status.js": "text/javascript; charset=utf-8", "/status.svg": "image/svg+xml",
	}
	require.Len(t, types, len(Paths))
	for _, path := range Paths {
		w := r.get(path)
		require.NotEmpty(t, w.Body.String())
		h := w.Header()
		require.Equal(t, types[path], h.Get("Content-Type"))
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
		require.Equal(t, "no-referrer", h.Get("Referrer-Policy"))
		require.Equal(t, "no-store", h.Get("Cache-Control"))
		require.Equal(t, "DENY", h.Get("X-Frame-Options"))
		require.Equal(t, "same-origin", h.Get("Cross-Origin-Resource-Policy"))
		for name := range h {
			require.NotContains(t, name, "Access-Control", "nobody else's page may read this")
		}
		for _, directive := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self'",
			"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
		} {
			require.Contains(t, strings.Split(h.Get("Content-Security-Policy"), "; "), directive)
		}
		require.NotContains(t, h.Get("Content-Security-Policy"), "unsafe")
	}
}

// The page comes as a whole out of the binary, and needs neither markup out of text nor code out of text.
func TestAssets(t *testing.T) {
	outside := regexp.MustCompile(`(?i)https?:|//[a-z]|@import|url\(`)
	markup := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacent|document\.write|DOMParser|eval\(|Function\(|\.cssText`)
	inline := regexp.MustCompile(`(?i)\son\w+=|\sstyle=|<style|<script>`)
	names := 0
	require.NoError(t, fs.WalkDir(assets, "assets", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		names++
		content, err := assets.ReadFile(path)
		require.NoError(t, err)
		text := strings.ReplaceAll(string(content), "http://www.w3.org/2000/svg", "")
		require.NotRegexp(t, outside, text, path)
		require.NotRegexp(t, markup, text, path)
		require.NotRegexp(t, inline, text, path)
		return nil
	}))
	require.Equal(t, len(Paths)-1, names, "all but the JSON")
}

// Without a script the page has the verdict.
func TestTheVerdictIsOnThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.set("rtbeat_in_flight_events", 3)
		r.set("rtbeat_output_stalled", 1)
		r.set("rtbeat_output_no_ack_seconds", 600)
		page := r.get("/").Body.String()
		require.Contains(t, page, `class="bad stalled"`)
		require.Contains(t, page, `<span id="title">Stalled</span>`)
		require.Contains(t, page, time.Now().Add(-10*time.Minute).UTC().Format("15:04:05")+" UTC")
		require.Contains(t, page, `<span id="age">10 min</span>`)
		require.Contains(t, page, "<li>See whether Logstash is up")
		require.NotContains(t, page, "{{")
	})
}

// Under a name that somebody on the Internet may own there is no configuration.
func TestNames(t *testing.T) {
	own, err := os.Hostname()
	require.NoError(t, err)
	s := New(prometheus.NewRegistry(), Settings{Host: "Status.Example", Configuration: newRig(t).status.recorder.settings.Configuration})
	for host, told := range map[string]bool{
		"127.0.0.1:9090": true, "[::1]:9090": true, "192.0.2.7": true, "localhost:9090": true, "LOCALHOST": true, "a.localhost": true,
		"rtbeat-0:9090": true, "rtbeat": true, own + ":9090": true, "status.example:9090": true, "rtbeat.prod.internal": true,
		"rebound.evil.example:9090": false, "evil.example": false, "127.0.0.1.evil.example": false, "localhost.evil.example": false, "": false,
		"evil.example.": false, "a.internal.evil.example": false, "status.example.evil.example": false,
	} {
		for _, path := range []string{"/status.json", "/"} {
			w := httptest.NewRecorder()
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
			req.Host = host
			s.ServeHTTP(w, req)
			require.Equal(t, http.StatusOK, w.Code)
			if path == "/status.json" {
				require.Equal(t, told, strings.Contains(w.Body.String(), `{"key":"rtbeat.port","value":"8081"}`), host)
			}
		}
	}
}

// Labels are fixed words. If one ever was not, it would still not show.
func TestHostileLabels(t *testing.T) {
	r := newRig(t)
	hostile := `</script><script>alert("h0stile")</script>`
	r.answer("400", hostile, 1)
	r.answer(hostile, "x", 1)
	r.answer("400", "h0stile\u2028x", 1)
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "rtbeat_build_info", Help: "as rtbeat has it"}, []string{"version", "commit"})
	build.WithLabelValues(hostile, hostile).Set(1)
	mode := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "rtbeat_ack_mode", Help: "as rtbeat has it"}, []string{"mode"})
	mode.WithLabelValues("h0stile").Set(1)
	auth := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rtbeat_auth_failures_total", Help: "as rtbeat has it"}, []string{"reason"})
	auth.WithLabelValues(hostile).Add(1)
	r.registry.MustRegister(build, mode, auth)
	r.inPhase("serving")
	r.phase.WithLabelValues("h0stile").Set(1)
	for _, path := range []string{"/", "/status.json"} {
		require.NotContains(t, r.get(path).Body.String(), "h0stile")
		require.NotContains(t, r.get(path).Body.String(), "alert(")
	}
	require.Len(t, r.report().Errors, 3, "all of them are counted, as other")
	require.Equal(t, "other", r.report().Instance.Version)
}

// What no metric says is null, and the page is there all the same.
func TestUnknown(t *testing.T) {
	s := New(prometheus.NewRegistry(), Settings{})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/status.json", http.NoBody))
	var report Report
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &report))
	require.Equal(t, unknown, report.Verdict.State)
	require.True(t, isUnknown(report.InFlight.Bytes.Value))
	require.Nil(t, report.Output.Stalled)
	require.Nil(t, report.Acked.Last)
	require.Contains(t, w.Body.String(), `"in_flight":{"bytes":{"value":null,"limit":null}`)
	require.NotContains(t, w.Body.String(), "NaN")
	w = httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	require.Contains(t, w.Body.String(), "Unknown")
}

// docs/status.md has every field, and no other.
func TestTheManualHasEveryField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.durable()
		r.answer("400", "malformed_json", 1)
		defer r.running()()
		time.Sleep(2 * interval)
		var decoded any
		require.NoError(t, json.Unmarshal(r.get("/status.json").Body.Bytes(), &decoded))
		var held []string
		for _, path := range leaves("", decoded) {
			held = append(held, strings.TrimPrefix(path, "."))
		}
		manual, err := os.ReadFile("../../docs/status.md")
		require.NoError(t, err)
		var told []string
		for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9_.\\[\\]]+)` \\| (\\S.*) \\| (\\S.*) \\|$").FindAllStringSubmatch(string(manual), -1) {
			told = append(told, row[1])
		}
		require.ElementsMatch(t, held, told, "status.json first, docs/status.md second")
	})
}

// The same for the states of the verdict.
func TestTheManualHasEveryState(t *testing.T) {
	manual, err := os.ReadFile("../../docs/status.md")
	require.NoError(t, err)
	var told []state
	for _, row := range regexp.MustCompile(`(?m)^\| ([a-z_]+) \| (ok|warn|bad) \| (nobody|sender|rtbeat|output) \| (\S.*) \|$`).FindAllStringSubmatch(string(manual), -1) {
		told = append(told, state(row[1]))
	}
	require.ElementsMatch(t, []state{
		starting, delivering, idle, slow, nearlyFull, rejecting, refusing, stalling, degraded, fullQueue, failedQueue, retrying, failing, givingUp, stopping, unknown,
	}, told)
}

// full is a rig with all the metrics that cost something, and 15 minutes behind it.
func full(b *testing.B) *Status {
	b.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for name := range sources {
		registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: strings.Replace(name, "process_", "proc_", 1)}))
	}
	answers := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rtbeat_answers_total", Help: "as rtbeat has it"}, []string{"code", "reason"})
	for i := range 40 {
		answers.WithLabelValues("400", "reason_"+strings.Repeat("x", i+1)).Add(1)
	}
	registry.MustRegister(answers)
	s := New(registry, Settings{})
	for i := range points + 1 {
		s.recorder.observe(time.Now().Add(time.Duration(i-points) * interval))
		s.recorder.window.add(s.recorder.newest)
	}
	return s
}

func BenchmarkSample(b *testing.B) {
	s := full(b)
	b.ReportAllocs()
	for b.Loop() {
		s.recorder.observe(time.Now())
	}
}

func BenchmarkStatusJSON(b *testing.B) { benchmarkGet(b, "/status.json") }

func BenchmarkPage(b *testing.B) { benchmarkGet(b, "/") }

func benchmarkGet(b *testing.B, path string) {
	b.Helper()
	s := full(b)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "http://127.0.0.1"+path, http.NoBody)
		s.ServeHTTP(w, req)
		if path == "/status.json" {
			b.ReportMetric(float64(w.Body.Len()), "bytes")
		}
	}
}
