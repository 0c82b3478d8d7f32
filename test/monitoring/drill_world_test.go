//go:build drill

package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// world has rtbeat, its sink, its senders and its Prometheus.
type world struct {
	t      *testing.T
	sink   *lumbersink.Sink
	beat   *harness.Beat
	p      *prometheus
	ledger *harness.Ledger

	fault             context.Context //nolint:containedctx // ends with the fault, which begins and ends in different calls
	endLoad, endFault context.CancelFunc
	senders           sync.WaitGroup
}

const (
	drillSenders = 4
	// seenWithin bounds the wait for any sign, also for verdicts and alerts with a range of 30 s.
	seenWithin = 90 * time.Second
	instance   = "drill"
)

// newWorld starts everything, and returns when batches are delivered.
func newWorld(t *testing.T, settings map[string]any) *world {
	t.Helper()
	w := &world{t: t, ledger: harness.NewLedger(t)}
	w.sink = harness.StartSink(t, lumbersink.Immediate())
	rtbeat := map[string]any{
		"admin":   map[string]any{"host": "127.0.0.1", "port": freePort(t)},
		"timeout": "2s", "stall_after": "3s", "read_timeout": "2s", "shutdown_timeout": "10s",
	}
	maps.Copy(rtbeat, settings)
	w.beat = harness.StartBeat(t, harness.Settings{Rtbeat: rtbeat, Sink: w.sink.Addr(), Output: map[string]any{
		"backoff": map[string]any{"init": "200ms", "max": "1s"},
	}})
	w.p = startPrometheus(t, []scrape{{instance, w.beat.Health}}, []string{deploy(t, "prometheus/rules.yml"), fastRules(t)})

	load, endLoad := context.WithCancel(context.Background())
	w.endLoad = endLoad
	w.fault, w.endFault = context.WithCancel(load)
	t.Cleanup(w.quiet)
	for i := range drillSenders {
		w.senders.Go(func() { send(load, w, fmt.Sprintf("sender%d", i), 20) })
	}
	harness.Arrived(t, w.sink, 200)
	return w
}

// quiet ends the load. A second call does nothing.
func (w *world) quiet() {
	w.endFault()
	w.endLoad()
	w.senders.Wait()
}

// background runs a function until the fault is over.
func (w *world) background(do func(ctx context.Context, w *world)) {
	w.senders.Go(func() { do(w.fault, w) })
}

// send sends batches until ctx ends, each again until it is delivered, as rtbeat's senders do.
func send(ctx context.Context, w *world, name string, messages int) {
	for n := 0; ctx.Err() == nil; n++ {
		b := harness.NewBatch(fmt.Sprintf("%s-%d", name, n), messages)
		for w.ledger.Post(ctx, w.beat.Addr, b).Code != http.StatusOK && ctx.Err() == nil {
			harness.Pause(ctx, 200*time.Millisecond)
		}
		harness.Pause(ctx, 20*time.Millisecond)
	}
}

// flood sends more than a slow output takes.
func flood(ctx context.Context, w *world) {
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() { send(ctx, w, fmt.Sprintf("flood%d", i), 200) })
	}
	all.Wait()
}

// dribble sends the beginning of a body only.
func dribble(ctx context.Context, w *world) {
	for ctx.Err() == nil {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", w.beat.Addr)
		if err != nil {
			return
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, "POST /in HTTP/1.1\r\nHost: rtbeat\r\nContent-Length: 100\r\n\r\n{\"messages\":[")
		_, _ = io.Copy(io.Discard, conn) // until rtbeat has answered and closed
		_ = conn.Close()
	}
}

// babble sends the same invalid batch again and again.
func babble(ctx context.Context, w *world) {
	client := harness.NewClient(w.t)
	for ctx.Err() == nil {
		client.Post(ctx, w.beat.Addr, []byte(`{"messages":[{"a":}]}`))
		harness.Pause(ctx, 500*time.Millisecond)
	}
}

// ended waits for the end of the process.
func (w *world) ended() {
	w.endLoad()
	code, _ := w.beat.WaitExit(seenWithin)
	require.Zero(w.t, code, "exit code")
}

// await waits for a sign.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	start := time.Now()
	harness.Await(w.t, seenWithin, what, holds)
	w.t.Logf("%s: after %.0f s", what, time.Since(start).Seconds())
}

// ready is the answer of /readyz: code, reason, and the key that decides.
func (w *world) ready() string {
	a := w.beat.Get("/readyz")
	said := struct{ Reason, Setting string }{Reason: "ready"}
	require.NoError(w.t, json.Unmarshal(a.Raw, &said), "%v", a)
	if said.Setting != "" {
		said.Reason += " (" + said.Setting + ")"
	}
	return fmt.Sprint(a.Code, " ", said.Reason)
}

// page is the verdict of the status page: its state and its cause.
func (w *world) page() string {
	a := w.beat.Get("/status.json")
	var said struct{ Verdict struct{ State, Fault string } }
	require.NoError(w.t, json.Unmarshal(a.Raw, &said), "%v", a)
	return said.Verdict.State + ", " + said.Verdict.Fault
}

// firing has the firing alerts with short waits.
func (w *world) firing() map[string]bool {
	found := make(map[string]bool)
	for alert, state := range w.p.alerts() {
		if name, ok := strings.CutSuffix(alert, " fast "+instance); ok && state == v1.AlertStateFiring {
			found[name] = true
		}
	}
	return found
}
