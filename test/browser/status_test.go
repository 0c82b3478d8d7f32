//go:build browser

package browser

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// start runs rtbeat with an admin listener, and more settings under rtbeat:.
func start(t testing.TB, sink *lumbersink.Sink, more map[string]any) (b *harness.Beat, url string) {
	t.Helper()
	_, port, _ := strings.Cut(harness.DeadAddress(t), ":")
	settings := map[string]any{"admin": map[string]any{"host": "127.0.0.1", "port": port}, "timeout": 1}
	maps.Copy(settings, more)
	b = harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: settings})
	return b, "http://" + b.Health
}

// send posts batches until the returned function is called. That function waits for the last answer.
func send(t testing.TB, b *harness.Beat, senders int, pause time.Duration) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for s := range senders {
		client := harness.NewClient(t)
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				client.Post(ctx, b.Addr, harness.NewBatch(fmt.Sprintf("s%d-%d", s, n), 20).Body())
				harness.Pause(ctx, pause)
			}
		})
	}
	return sync.OnceFunc(func() { cancel(); wg.Wait() })
}

func TestIdle(t *testing.T) {
	t.Parallel()
	b, url := start(t, harness.StartSink(t, lumbersink.Immediate()), nil)
	tb := open(t, phoneWidth, phoneHeight)
	tb.visit(url)

	tb.comesTo("title", "Idle")
	require.Equal(t, "Idle – rtbeat", evaluate[string](tb, "document.title"))
	require.Equal(t, "ok idle", evaluate[string](tb, "document.getElementById('verdict').className"))
	require.False(t, evaluate[bool](tb, "document.getElementById('fault').checkVisibility()"))
	require.Equal(t, "None since the start.", tb.text("no-errors"))
	require.Contains(t, tb.text("configuration"), "rtbeat.timeout1s")
	tb.fits()
	shoot(tb, "status-idle")
	tb.quiet(url)

	// Without an answer the page says so. It does not go on showing old data as healthy.
	b.Kill()
	harness.Await(t, patience, "no answer", func() bool { return strings.HasPrefix(tb.text("lost"), "No answer from rtbeat") })
	require.Equal(t, "bad", evaluate[string](tb, "document.getElementById('verdict').className"))
	require.Equal(t, "No answer – rtbeat", evaluate[string](tb, "document.title"))
	tb.fits()
}

func TestBusy(t *testing.T) {
	t.Parallel()
	b, url := start(t, harness.StartSink(t, lumbersink.Delay(20*time.Millisecond)), nil)
	stop := send(t, b, 4, 50*time.Millisecond)
	defer stop()
	tb := open(t, phoneWidth, phoneHeight)
	tb.visit(url)

	tb.comesTo("title", "Delivering")
	harness.Await(t, patience, "plots with data", func() bool {
		return evaluate[int](tb, "document.querySelectorAll('#plot-rate path').length") == 2 &&
			evaluate[int](tb, "document.querySelectorAll('#plot-ack path').length") == 2 &&
			evaluate[int](tb, "document.querySelectorAll('#plot-bytes path').length") >= 1
	})
	require.Regexp(t, `\d events/s$`, tb.text("in-rate"))
	require.Regexp(t, `^≤ \d+ ms$`, tb.text("top-ack"))
	for _, id := range []string{"in-rate", "ack-rate"} {
		require.NotContains(t, tb.text(id), "–", id)
	}
	require.Contains(t, tb.text("bars"), "bytes")
	tb.fits()
	goOn(tb, after)
	shoot(tb, "status-busy")
	tb.quiet(url)
}

func TestStalled(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b, url := start(t, sink, map[string]any{"stall_after": 4})
	stop := send(t, b, 3, 200*time.Millisecond)
	defer stop()
	tb := open(t, phoneWidth, phoneHeight)
	tb.visit(url)
	tb.comesTo("title", "Delivering")
	goOn(tb, after)

	sink.SetPolicy(lumbersink.Never())
	harness.Await(t, patience, "refusals", func() bool { return b.Answers(http.StatusServiceUnavailable, "output_stalled") > 0 })
	tb.comesTo("title", "Stalled")
	require.Equal(t, "bad stalled", evaluate[string](tb, "document.getElementById('verdict').className"))
	require.Contains(t, tb.text("text"), "The output has acknowledged nothing for ")
	require.Contains(t, tb.text("side"), "Logstash")
	require.Contains(t, tb.text("advice"), "See whether Logstash is up")
	harness.Await(t, patience, "the errors", func() bool { return strings.Contains(tb.text("error-rows"), "503 output stalledoutput") })
	tb.fits()
	goOn(tb, after/stalledShare)
	shoot(tb, "status-stalled")
	tb.quiet(url)

	// The page shows the end of the stall.
	harness.RecoverSink(sink)
	harness.Await(t, patience, "the end of the stall", func() bool {
		title := tb.text("title") // the 504s of the stall still count for a while
		return title == "Slow" || title == "Delivering"
	})
}

// In durable mode the page shows the queue on disk. In memory mode it does not.
func TestDurable(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	b, url := start(t, sink, map[string]any{"stall_after": 2, "durable.enabled": true})
	stop := send(t, b, 1, 100*time.Millisecond)
	defer stop()
	tb := open(t, phoneWidth, phoneHeight)
	tb.visit(url)
	tb.comesTo("title", "Degraded")
	require.Equal(t, "warn degraded", evaluate[string](tb, "document.getElementById('verdict').className"))
	require.Contains(t, tb.text("text"), "Batches are stored, and answered 200.")
	harness.Await(t, patience, "the queue on disk", func() bool { return strings.Contains(tb.text("disk"), "at this rate full in") })
	require.Regexp(t, `^not delivered[1-9]\d* batches, \d`, tb.text("disk"))
	require.Regexp(t, `of 10\.0 GiB$`, tb.text("disk-files"))
	tb.fits()
	tb.quiet(url)

	stop()
	harness.RecoverSink(sink)
	harness.Await(t, patience, "an empty queue", func() bool { return strings.HasPrefix(tb.text("disk"), "not delivered0 batches, 0 B") })

	_, url = start(t, sink, nil)
	tb.visit(url)
	tb.comesTo("title", "Idle")
	require.False(t, evaluate[bool](tb, "document.getElementById('durable').checkVisibility()"))
}

// Without JavaScript the page shows the verdict.
func TestWithoutJavaScript(t *testing.T) {
	t.Parallel()
	_, url := start(t, harness.StartSink(t, lumbersink.Immediate()), nil)
	tb := open(t, phoneWidth, phoneHeight)
	tb.withoutScript()
	tb.run(chromedp.Navigate(url), chromedp.WaitVisible("#verdict"))
	require.Equal(t, "Idle", tb.text("title"))
	require.Regexp(t, `^\d\d:\d\d:\d\d UTC$`, tb.text("since"))
	require.True(t, evaluate[bool](tb, "document.querySelector('.hint').checkVisibility()"))
	tb.fits()
	tb.quiet(url)
}

func TestDarkAndLight(t *testing.T) {
	t.Parallel()
	_, url := start(t, harness.StartSink(t, lumbersink.Immediate()), nil)
	tb := open(t, desktopWidth, desktopHeight)
	tb.visit(url)
	colours := func(scheme string) (paper, ink int) {
		tb.prefer(scheme)
		sum := func(property string) int {
			return evaluate[int](tb, "getComputedStyle(document.body)."+property+".match(/\\d+/g).slice(0,3).reduce((a, b) => a + +b, 0)")
		}
		return sum("backgroundColor"), sum("color")
	}
	paper, ink := colours("light")
	require.Greater(t, paper, ink+400)
	paper, ink = colours("dark")
	require.Greater(t, ink, paper+400)
	tb.fits()
	tb.quiet(url)
}

// Bytes from a sender never appear on the page, and never run.
func TestHostileSenders(t *testing.T) {
	t.Parallel()
	const mark = "h0stile"
	hostile := `<img src=x onerror="window.` + mark + `=1;alert('` + mark + `')"><script>window.` + mark + `=1</script>`
	b, url := start(t, harness.StartSink(t, lumbersink.Immediate()), map[string]any{
		"trusted_proxies": []string{"127.0.0.1"},
		"include_headers": []string{"x-tenant"},
		"auth":            map[string]any{"basic.username": "a", "basic.password": "b"},
	})
	client := harness.NewClient(t)
	post := func(method, target, user, body string, header http.Header) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+b.Addr+target, strings.NewReader(body))
		require.NoError(t, err)
		req.Header = header
		if req.Header == nil {
			req.Header = http.Header{}
		}
		req.Header.Set("X-Request-ID", mark+"-id")
		req.Header.Set("X-Forwarded-For", mark)
		req.Header.Add("Forwarded", `for="`+mark+`"`)
		req.Header.Set("User-Agent", hostile)
		req.Header.Set("Referer", hostile)
		req.Header.Set("X-Tenant", hostile)
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user)))
		require.NoError(t, client.Do(req).Err)
	}
	escaped := "/" + mark + "%3Cscript%3E"
	quoted := fmt.Sprintf("%q", hostile)
	json := http.Header{"Content-Type": {"application/json"}}
	post(http.MethodPost, "/in?"+mark+"=%3Cscript%3E", "a:b", `{"messages":[{"uuid":`+quoted+`,"producer":`+quoted+`}]}`, json.Clone())
	post(http.MethodPost, "/in", hostile+":b", "{}", json.Clone())
	post(http.MethodPost, "/in", "a:b", hostile, json.Clone())
	post(http.MethodPost, "/in", "a:b", "{}", http.Header{"Content-Type": {hostile}})
	post(http.MethodPost, "/in", "a:b", "{}", http.Header{"Content-Encoding": {mark}})
	post(http.MethodPost, escaped, "a:b", "{}", json.Clone())
	post("H0STILE", "/in", "a:b", "", json.Clone())
	for _, path := range []string{escaped, "/?" + mark, "/status.json?" + mark + "=<script>"} {
		b.Get(path)
	}

	tb := open(t, phoneWidth, phoneHeight)
	tb.visit(url + "/?" + mark + "#" + mark)
	for _, reason := range []string{"401 unauthorized", "400 malformed json", "404 not found", "405 method not allowed", "415 unsupported encoding", "credentials: "} {
		harness.Await(t, patience, "errors with "+reason, func() bool { return strings.Contains(tb.text("error-rows"), reason) })
	}
	markup := evaluate[string](tb, "document.documentElement.outerHTML")
	require.NotContains(t, strings.ToLower(markup), mark)
	for _, path := range []string{"/", "/status.json", "/?" + mark, "/status.json?" + mark + "=%3Cscript%3E"} {
		text := string(b.Get(path).Raw)
		require.Contains(t, text, "Delivering", path)
		require.NotContains(t, strings.ToLower(text), mark, path)
	}
	require.False(t, evaluate[bool](tb, "'"+mark+"' in window"))
	tb.quiet(url)
}

// The content security policy is in force. The other tests would see a violation.
func TestThePolicyHolds(t *testing.T) {
	t.Parallel()
	_, url := start(t, harness.StartSink(t, lumbersink.Immediate()), nil)
	tb := open(t, phoneWidth, phoneHeight)
	tb.visit(url)
	tb.quiet(url)

	// Trusted types refuse markup made from text: an assignment throws.
	require.True(t, evaluate[bool](tb, `(() => { try { document.body.innerHTML = "<b>x</b>"; return false } catch { return true } })()`))
	for what, code := range map[string]string{
		"script-src":  `import("http://127.0.0.1:9/x.js").catch(() => {})`,
		"style-src":   `document.body.setAttribute("style", "color: red")`,
		"img-src":     `const i = document.createElement("img"); i.src = "http://127.0.0.1:9/x.png"; document.body.append(i)`,
		"connect-src": `fetch("http://127.0.0.1:9/x").catch(() => {})`,
	} {
		require.True(t, evaluate[bool](tb, "(() => {"+code+"; return true})()"))
		harness.Await(t, patience, "a complaint about "+what, func() bool { return strings.Contains(tb.said(), what) })
	}
}
