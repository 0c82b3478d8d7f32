//go:build browser

package browser

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// Window sizes: a small phone, and a desktop.
const (
	phoneWidth, phoneHeight     = 360, 740
	desktopWidth, desktopHeight = 1200, 900
)

// patience bounds every wait for a change of the page, which polls every three seconds.
const patience = 20 * time.Second

// tab is a browser window with its log.
type tab struct {
	t   testing.TB
	ctx context.Context //nolint:containedctx // chromedp's handle of a window is a context

	mu         sync.Mutex
	complaints []string // from the console: errors, violations of the policy, exceptions, dialogs
	asked      []string // URLs
}

// open opens a window of this size on an empty page, and closes it with the test.
func open(t testing.TB, width, height int64) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(harness.FindProgram(t, "chromium", "chromium-browser", "google-chrome")),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, // root has no sandbox
	)
	// The test's context ends before the browser is closed in good order.
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		require.NoError(t, chromedp.Cancel(ctx)) // closes the browser, and waits for its end
		cancel()
	})
	tb := &tab{t: t, ctx: ctx}
	require.NoError(t, chromedp.Listen(ctx, tb.note)) // starts the browser
	call(tb, log.Enable, cdp.Empty{})
	call(tb, runtime.Enable, cdp.Empty{})
	call(tb, network.Enable, network.EnableParams{})
	call(tb, audits.Enable, cdp.Empty{})
	tb.run(chromedp.EmulateViewport(width, height, chromedp.EmulateScale(2), mobile(width)))
	return tb
}

func mobile(width int64) chromedp.EmulateViewportOption {
	if width > phoneWidth {
		return func(*emulation.SetDeviceMetricsOverrideParams, *emulation.SetTouchEmulationEnabledParams) {}
	}
	return chromedp.EmulateMobile
}

// note records the events of a window.
func (tb *tab) note(event any) {
	complain := func(format string, args ...any) {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		tb.complaints = append(tb.complaints, fmt.Sprintf(format, args...))
	}
	switch e := event.(type) {
	case *log.EventEntryAdded:
		complain("log: %s: %s", e.Entry.Level, e.Entry.Text)
	case *runtime.EventConsoleAPICalled:
		complain("console: %s", e.Type)
	case *runtime.EventExceptionThrown:
		complain("exception: %s", e.ExceptionDetails.Text)
	case *audits.EventIssueAdded:
		complain("issue: %s", e.Issue.Code)
	case *page.EventJavascriptDialogOpening:
		complain("dialog: %s", e.Message)
	case *network.EventRequestWillBeSent:
		tb.mu.Lock()
		defer tb.mu.Unlock()
		tb.asked = append(tb.asked, e.Request.URL)
	}
}

// quiet fails the test if the window logged a complaint, or sent a request to another server.
func (tb *tab) quiet(server string) {
	tb.t.Helper()
	tb.mu.Lock()
	defer tb.mu.Unlock()
	require.Empty(tb.t, tb.complaints)
	require.NotEmpty(tb.t, tb.asked)
	for _, url := range tb.asked {
		require.True(tb.t, strings.HasPrefix(url, server+"/"), url)
	}
}

// said has the window's complaints so far.
func (tb *tab) said() string {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return strings.Join(tb.complaints, "\n")
}

// run takes steps in the window, within patience.
func (tb *tab) run(steps ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	require.NoError(tb.t, chromedp.Do(ctx, steps...))
}

// call sends the browser a command of its protocol.
func call[P, R any](tb *tab, command cdp.Command[P, R], params P) R {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	require.NoError(tb.t, err)
	return result
}

// visit opens a page, and waits until its script has shown data.
func (tb *tab) visit(url string) {
	tb.t.Helper()
	tb.run(chromedp.Navigate(url), chromedp.WaitVisible("#main"))
}

// evaluate is the value of an expression in the page.
func evaluate[T any](tb *tab, expression string) T {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(tb.t, err, expression)
	return value
}

// text is the text of an element.
func (tb *tab) text(id string) string {
	tb.t.Helper()
	return evaluate[string](tb, fmt.Sprintf("document.getElementById(%q).textContent", id))
}

// comesTo waits until an element has a text.
func (tb *tab) comesTo(id, want string) {
	tb.t.Helper()
	harness.Await(tb.t, patience, id+" says "+want, func() bool { return tb.text(id) == want })
}

// prefer chooses dark or light.
func (tb *tab) prefer(scheme string) {
	tb.t.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
	call(tb, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
}
