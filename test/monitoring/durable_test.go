//go:build monitoring

package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// durable is an rtbeat in durable mode, with its sender and its Prometheus.
type durable struct {
	story
	beat   *harness.Beat
	queue  string // its directory
	ledger *harness.Ledger
}

const diskMaxBytes = 32 << 20

func newDurable(t *testing.T, sink *lumbersink.Sink, processors ...any) *durable {
	t.Helper()
	harness.FindProgram(t, "prometheus")
	d := &durable{queue: filepath.Join(t.TempDir(), "queue"), ledger: harness.NewLedger(t)}
	d.ledger.Stored()
	d.beat = harness.StartBeat(t, harness.Settings{
		Sink: sink.Addr(),
		Rtbeat: map[string]any{
			"durable": map[string]any{"path": d.queue, "max_bytes": diskMaxBytes},
			"timeout": timeout, "stall_after": 4, "max_body_bytes": maxBytes / 4, "max_in_flight_bytes": maxBytes,
			"admin": map[string]any{"host": "127.0.0.1", "port": freePort(t)},
		},
		Queue:      map[string]any{"events": queueEvents, "flush.min_events": queueEvents / 2, "flush.timeout": 0},
		Processors: processors,
	})
	d.story = story{t: t, time: make(map[phase][2]time.Time), p: startPrometheus(t, []scrape{{openMetrics, newWay(t, d.beat.Health, "").addr}},
		[]string{deploy(t, "prometheus/rules.yml"), fastRules(t)})}
	return d
}

// load posts batches of 100 kB, ten a second at most, each again until it is stored.
func (d *durable) load(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		b := harness.Padded(fmt.Sprintf("load-%d", n), 20, 5000)
		for d.ledger.Post(ctx, d.beat.Addr, b).Code != http.StatusOK && ctx.Err() == nil {
			harness.Pause(ctx, 200*time.Millisecond)
		}
		harness.Pause(ctx, 100*time.Millisecond)
	}
}

// during runs the load until the returned function is called.
func (d *durable) during() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.load(ctx) }()
	stop = func() { cancel(); <-done }
	d.t.Cleanup(stop)
	return stop
}

// awaits waits until an alert is in a state. Empty means neither pending nor firing.
func (d *durable) awaits(alert string, state v1.AlertState) {
	d.t.Helper()
	harness.Await(d.t, happensWithin, alert+" is "+string(state), func() bool { return d.p.alerts()[alert+" fast "+openMetrics] == state })
}

// shows waits for an answer of /readyz, with its code and deciding setting, and for a verdict of the page.
func (d *durable) shows(ready, page string) {
	d.t.Helper()
	last := ""
	defer func() { d.t.Log(last) }()
	harness.Await(d.t, happensWithin, ready+" and "+page, func() bool {
		var said struct{ Setting string }
		answer := d.beat.Get("/readyz")
		require.NoError(d.t, json.Unmarshal(answer.Raw, &said))
		var status struct {
			Verdict struct{ State, Level, Fault, Text string }
		}
		require.NoError(d.t, json.Unmarshal(d.beat.Get("/status.json").Raw, &status))
		v := status.Verdict
		last = fmt.Sprintf("/readyz: %s\npage: %+v", answer.Raw, v)
		return ready == strings.TrimSpace(fmt.Sprint(answer.Code, " ", said.Setting)) && page == v.State+", "+v.Level+", "+v.Fault
	})
}

// full is the phase with a full queue on disk.
const full phase = "full"

// onDisk has the dashboard's values for durable mode. In memory mode it shows none.
var onDisk = map[string][]want{
	"Queue on disk / Share of max_bytes / A":   {always(well, 0, 0.5), share(stalled, 0.3), share(full, 0.85)},
	"Queue on disk / Share of max_bytes / B":   {always(well, 0, 0), always(stalled, 0, 0), {full, 0, 1, 1, 1}},
	"Queue on disk / Share of max_bytes / C":   {always(well, 0, 0), always(stalled, 0, 0), always(full, 0, 0)},
	"Queue on disk / Stored and delivered / A": {reaches(well, 1000), reaches(stalled, 1000)},
	"Queue on disk / Stored and delivered / B": {reaches(well, 1000), always(stalled, 0, 0), reaches(back, 1000)},
	"Queue on disk / Oldest batch on disk / A": {always(well, 0, 3), reaches(stalled, 5)},
	"Queue on disk / Batches on disk / A":      {reaches(stalled, 10), reaches(full, 100)},
	"Queue on disk / Batches on disk / B":      {always(well, 0, 0), always(stalled, 0, 0)},
	"Output / What a 200 means / A":            {{well, 0, 0, 1, 1}},
	"Overview / Verdict / A":                   {{well, 0, 0, 0, 1}, {back, 0, 3, 0, 3}},
}

// TestDurableModeShowsWhatIsOnDisk fills the queue on disk behind a Logstash that acknowledges nothing, and drains it.
func TestDurableModeShowsWhatIsOnDisk(t *testing.T) {
	sink := harness.StartSink(t, lumbersink.Immediate())
	d := newDurable(t, sink)
	stop := d.during()
	d.phase(well, func() {
		d.shows("200", "delivering, ok, nobody")
		for alert, state := range d.p.alerts() { // ten seconds are too short for a forecast
			require.True(t, state == v1.AlertStatePending || strings.HasPrefix(alert, "RtbeatDurableQueueFills fast"), "%s is %s in a healthy phase", alert, state)
		}
		body, _ := get(t.Context(), t, d.beat.Health, "")
		lint(t, body)
	})

	sink.SetPolicy(lumbersink.Never())
	d.phase(stalled, func() {
		d.shows("200 rtbeat.stall_after", "degraded, warn, output")
		d.awaits("RtbeatOutputStalled", v1.AlertStateFiring)
		d.awaits("RtbeatDurableQueueFills", v1.AlertStateFiring)
	})
	require.NotContains(t, d.p.alerts(), "RtbeatQueueFull fast "+openMetrics, "a backlog fills libbeat's queue, and no sender waits")

	d.awaits("RtbeatDurableQueueFull", v1.AlertStateFiring)
	d.shows("503 rtbeat.durable.max_bytes", "queue_full, bad, output")
	from := time.Now()
	harness.Pause(t.Context(), 3*time.Second)
	d.time[full] = [2]time.Time{from, time.Now()}
	d.agrees()

	stop()
	from = time.Now()
	harness.RecoverSink(sink)
	harness.Await(t, happensWithin, "an empty queue", func() bool { return d.beat.Metric("rtbeat_queue_batches") == 0 })
	d.awaits("RtbeatDurableQueueFull", "")
	d.awaits("RtbeatDurableQueueFills", "")
	d.awaits("RtbeatOutputStalled", "")
	d.time[back] = [2]time.Time{from, time.Now()}
	d.shows("200", "idle, ok, nobody")
	m := d.beat.Metrics()
	require.Equal(t, m["rtbeat_queue_stored_bytes_total"], m["rtbeat_queue_delivered_bytes_total"]) //nolint:testifylint // both are whole
	require.Zero(t, m["rtbeat_queue_bytes"])
	require.Zero(t, m["rtbeat_queue_oldest_seconds"])

	d.p.Healthy()
	for _, q := range panels(t) {
		d.holds(q.key, q.expr, onDisk[q.key])
	}
	require.Empty(t, d.wrong)
	d.ledger.Check(t, sink)
	d.beat.Stop()
}

// agrees compares the page, the metrics and the ledger, while nothing is stored or delivered.
func (d *durable) agrees() {
	d.t.Helper()
	var status struct {
		Durable struct {
			Batches   float64
			Bytes     float64
			FileBytes struct{ Value, Limit float64 } `json:"file_bytes"`
			FullIn    *float64                       `json:"full_in_seconds"`
		}
	}
	require.NoError(d.t, json.Unmarshal(d.beat.Get("/status.json").Raw, &status))
	m, page := d.beat.Metrics(), status.Durable
	require.InDelta(d.t, m["rtbeat_queue_batches"], page.Batches, 0)
	require.InDelta(d.t, m["rtbeat_queue_bytes"], page.Bytes, 0)
	require.InDelta(d.t, m["rtbeat_queue_file_bytes"], page.FileBytes.Value, 0)
	require.InDelta(d.t, diskMaxBytes, page.FileBytes.Limit, 0)
	require.LessOrEqual(d.t, page.FileBytes.Value, page.FileBytes.Limit)
	require.NotNil(d.t, page.FullIn, "it has filled for half a minute")
	require.InDelta(d.t, m["rtbeat_queue_stored_bytes_total"]-m["rtbeat_queue_delivered_bytes_total"], page.Bytes, 0)
	var files int64
	entries, err := os.ReadDir(d.queue)
	require.NoError(d.t, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(d.t, err)
		files += info.Size()
	}
	require.InDelta(d.t, files, page.FileBytes.Value, 0, "the lock is empty")
}

// TestDurableModeShowsWhatFails has a batch at which a processor fails, and then a directory that cannot be written.
func TestDurableModeShowsWhatFails(t *testing.T) {
	sink := harness.StartSink(t, lumbersink.Immediate())
	d := newDurable(t, sink, map[string]any{
		"if":   map[string]any{"equals": map[string]any{"rxtxMsg.label": "poison"}},
		"then": []any{map[string]any{"move_fields": map[string]any{"from": "nowhere", "to": "x"}}},
	})
	poison := harness.NewLabelledBatch("poison", 2, func(int) string { return "poison" })
	require.Equal(t, http.StatusOK, d.ledger.Post(t.Context(), d.beat.Addr, poison).Code)
	stop := d.during()
	d.awaits("RtbeatDurableRetries", v1.AlertStateFiring)
	d.shows("200", "retrying, warn, output")
	require.Equal(t, 1, int(d.beat.Metric("rtbeat_queue_retrying_batches")))
	require.Positive(t, d.beat.Metric("rtbeat_queue_delivered_bytes_total"), "other batches are delivered")
	require.Greater(t, d.beat.Metric("rtbeat_queue_oldest_seconds"), 10.0)

	sink.SetPolicy(lumbersink.Never()) // the queue grows, and needs a new file
	require.NoError(t, os.Rename(d.queue, d.queue+".away"))
	d.awaits("RtbeatDurableQueueFailed", v1.AlertStateFiring)
	d.shows("503 rtbeat.durable.path", "queue_failed, bad, rtbeat")
	require.NoError(t, os.Rename(d.queue+".away", d.queue))
	harness.RecoverSink(sink)
	d.awaits("RtbeatDurableQueueFailed", "")
	d.shows("200", "retrying, warn, output")
	require.NotContains(t, d.p.alerts(), "RtbeatDurableQueueFull fast "+openMetrics)
	stop()
	harness.Await(t, happensWithin, "one batch left", func() bool { return d.beat.Metric("rtbeat_queue_batches") == 1 })
	d.p.Healthy()
	d.beat.Stop()
	d.ledger.Check(t, sink)
}
