package status

import (
	"encoding/json"
	"io/fs"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/intake"
	"github.com/txn2/rtbeat/internal/source"
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

// The page loads nothing from other servers, and makes neither markup nor code of text.
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
		r.set(&r.numbers.InFlight.Events.Value, 3)
		r.is(&r.numbers.Output.Stalled, true)
		r.set(&r.numbers.Output.NoAckSeconds, 600)
		page := r.get("/").Body.String()
		require.Contains(t, page, `class="bad stalled"`)
		require.Contains(t, page, `<span id="title">Stalled</span>`)
		require.Contains(t, page, time.Now().Add(-10*time.Minute).UTC().Format("15:04:05")+" UTC")
		require.Contains(t, page, `<span id="age">10 min</span>`)
		require.Contains(t, page, "<li>See whether Logstash is up")
		require.NotContains(t, page, "{{")
	})
}

// A name that somebody on the Internet may own gets no configuration.
func TestNames(t *testing.T) {
	own, err := os.Hostname()
	require.NoError(t, err)
	s := New(Settings{Snapshot: newRig(t).snapshot, Host: "Status.Example", Configuration: newRig(t).status.recorder.settings.Configuration})
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

// Text does not become markup.
func TestHostileTextIsNoMarkup(t *testing.T) {
	r := newRig(t)
	hostile := `</script><script>alert("h0stile")</script>`
	r.status.recorder.settings.Version = hostile
	r.numbers.Failures[0].Reason = hostile
	r.answer("400", hostile, 1)
	r.inPhase(hostile)
	for _, path := range []string{"/", "/status.json"} {
		require.NotContains(t, r.get(path).Body.String(), "<script>alert")
	}
	require.Len(t, r.report().Errors, 1)
}

// In durable mode the ack mode does not show that the output may lose events.
func TestAnUnconfirmedOutputIsOnThePage(t *testing.T) {
	r := newRig(t)
	r.durable()
	require.False(t, r.report().Instance.Unconfirmed)
	r.status.recorder.settings.Unconfirmed = true
	report := r.report()
	require.Equal(t, persisted, report.Instance.AckMode)
	require.True(t, report.Instance.Unconfirmed)
}

// A number that is not known is null.
func TestUnknown(t *testing.T) {
	r := newRig(t)
	r.numbers.Queue.Events = Bounded{Number(math.NaN()), Number(math.NaN())}
	w := r.get("/status.json")
	var report Report
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &report))
	require.True(t, isUnknown(report.Queue.Events.Value))
	require.Nil(t, report.Acked.Last)
	require.Nil(t, report.Instance.CertificateExpires)
	require.Contains(t, w.Body.String(), `"queue":{"events":{"value":null,"limit":null}`)
	require.NotContains(t, w.Body.String(), "NaN")
}

// docs/status.md has every field, and no other field.
func TestTheManualHasEveryField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.durable()
		r.answer("400", "malformed_json", 1)
		r.numbers.Sources[0].LastProblem = &intake.Problem{Reason: "malformed_json", At: time.Now()}
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

// docs/status.md has every state of the verdict.
func TestTheManualHasEveryState(t *testing.T) {
	manual, err := os.ReadFile("../../docs/status.md")
	require.NoError(t, err)
	var told []state
	for _, row := range regexp.MustCompile(`(?m)^\| ([a-z_]+) \| (ok|warn|bad) \| (nobody|sender|rtbeat|output) \| (\S.*) \|$`).FindAllStringSubmatch(string(manual), -1) {
		told = append(told, state(row[1]))
	}
	require.ElementsMatch(t, []state{
		starting, delivering, idle, slow, nearlyFull, rejecting, refusing, stalling, degraded, fullQueue, failedQueue, retrying, failing, givingUp, stopping,
	}, told)
}

// full is a page with 15 minutes of samples.
func full(b *testing.B) *Status {
	b.Helper()
	var n Numbers
	for i := range 56 {
		n.Failures = append(n.Failures, intake.Failure{What: "answer", Code: "400", Reason: "reason_" + strings.Repeat("x", i+1), Total: 1})
	}
	s := New(Settings{Snapshot: func() Numbers { return n }})
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

func TestSourcesInTheReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		at := time.Now()
		r.numbers.Sources = append(r.numbers.Sources, intake.SourceCounts{
			Name: "github", Path: "/github", Answers: 7, Refused: 2, Messages: 5, LastProblem: &intake.Problem{Reason: "unauthorized", At: at},
		})
		defer r.running()()
		time.Sleep(interval)
		var report Report
		require.NoError(t, json.Unmarshal(r.get("/status.json").Body.Bytes(), &report))
		require.Equal(t, []Source{
			{Name: "in", Path: "/in"},
			{Name: "github", Path: "/github", AnswersTotal: 7, RefusedTotal: 2, MessagesTotal: 5, LastProblem: &SourceProblem{"unauthorized", at.UTC()}},
		}, report.Sources)
	})
}

// No source takes a path of the page.
func TestPathsOfThePageAreReserved(t *testing.T) {
	for _, path := range Paths {
		err := source.CheckAll([]source.Source{{Name: "a", Path: path}}, func(int) string { return "rtbeat.sources.0." })
		require.ErrorContains(t, err, "a path of health, metrics or the status page", path)
	}
}
