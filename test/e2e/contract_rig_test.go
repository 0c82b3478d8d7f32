//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// rig is one process with its sink. Its cases run one after the other.
type rig struct {
	*script
	promises promises
	hits     *hits
	beat     *harness.Beat
	sink     *lumbersink.Sink
	// connect makes the connection of a case.
	connect func(t testing.TB, how string) net.Conn
	// credentials are valid request headers for authentication.
	credentials func(body string) []string
	// clientIP is the default of that field in the events.
	clientIP string

	// seen is the number of earlier events. told counts the answers.
	seen int
	told map[row]int
	// leaked has bytes and events left in flight by earlier cases: only the case that leaks fails.
	leaked float64
	// due are the expected events of the running case.
	due []event
}

// event is an expected event.
type event struct {
	message  string
	clientIP string
	headers  map[string]any
}

// hits are the rows of the docs reached by a case.
type hits struct {
	mu    sync.Mutex
	rows  map[string]bool
	cases int
}

func (h *hits) add(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rows[name] = true
}

func (h *hits) count() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cases++
}

// run runs every case of the script.
func (g *rig) run(t *testing.T) {
	t.Helper()
	names := make(map[string]bool)
	for _, x := range g.cases {
		require.False(t, names[x.name], "two cases are called %q", x.name)
		names[x.name] = true
		passed := t.Run(x.name, func(t *testing.T) {
			g.hits.count()
			g.due = nil
			if x.play != nil {
				x.play(t, g)
			} else {
				g.parley(t, x)
			}
			g.settle(t)
		})
		if !passed {
			g.seen, g.leaked = g.sink.Received(), g.beat.Metric("rtbeat_in_flight_bytes") // blame this case, and not the next one
		}
	}
	g.finish(t)
}

// finish compares the metric with the senders' answers, and searches the log for their bytes.
func (g *rig) finish(t testing.TB) {
	t.Helper()
	for r, n := range g.told {
		require.Equal(t, n, g.beat.Answers(r.code, r.reason), "rtbeat_answers_total of %s", r.reason)
	}
	require.NotContains(t, g.beat.Log.String(), secret, "a request is in the log")
}

// parley runs an ordinary case: the steps, the answers, and the end of the connection.
func (g *rig) parley(t *testing.T, x *exchange) {
	t.Helper()
	l := newLine(t, g.connect(t, x.dial))
	for _, s := range x.steps {
		s(t, l)
	}
	closes := false
	for _, want := range x.want {
		method := "POST"
		if want.bodiless {
			method = "HEAD"
		}
		closes = g.hear(t, x, want, l.read(t, method))
	}
	if x.leaves {
		halfClose(t, l)
	}
	if x.leaves || closes || len(x.want) == 0 {
		l.requireEnd(t)
		return
	}
	require.NoError(t, l.broken)
	m := g.message()
	body := batchOf(m)
	l.write(post(body, g.credentials(body)...))
	g.hear(t, &exchange{clientIP: x.peerIP, headers: x.later}, ok(m), l.read(t, "POST"))
}

// hear checks an answer and records its promise.
func (g *rig) hear(t testing.TB, x *exchange, want reply, got answer) (closes bool) {
	t.Helper()
	closes = requireAnswer(t, g.promises, want, got)
	switch {
	case want.health != "":
		g.hits.add(want.health + " " + want.reason)
	case want.reason == "":
		g.hits.add("plain " + want.plain())
	default:
		g.note(want.reason)
	}
	for _, m := range want.messages {
		e := event{message: m, clientIP: g.clientIP, headers: x.headers}
		if x.clientIP != nil {
			e.clientIP = *x.clientIP
		}
		g.due = append(g.due, e)
	}
	return closes
}

// note counts an answer to a sender, as the metric must.
func (g *rig) note(reason string) {
	g.hits.add(reason)
	r := g.promises.answers[reason]
	g.told[row{code: r.code, reason: reason}]++
}

// answered is the process's number of answers to senders.
func (g *rig) answered() (n int) {
	for name, v := range g.beat.Metrics() {
		if strings.HasPrefix(name, "rtbeat_answers_total{") {
			n += int(v)
		}
	}
	return n
}

// awaitAnswers waits for that number, including the answers that no sender reads.
func (g *rig) awaitAnswers(t testing.TB, n int) {
	t.Helper()
	harness.Await(t, answerWithin, fmt.Sprintf("%d answers", n), func() bool { return g.answered() >= n })
}

// settleWithin bounds the time until nothing is in flight. It includes the longest wait for a slow sender.
const settleWithin = 5 * time.Second

// settle waits until nothing is in flight, and compares the events with the expected ones: no others, and no copies.
func (g *rig) settle(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(settleWithin)
	for {
		samples := g.beat.Metrics()
		require.Contains(t, samples, "rtbeat_in_flight_bytes")
		require.Contains(t, samples, "rtbeat_in_flight_events")
		if samples["rtbeat_in_flight_bytes"] == g.leaked && samples["rtbeat_in_flight_events"] == 0 {
			break
		}
		require.True(t, time.Now().Before(deadline), "still in flight: %v bytes, %v events",
			samples["rtbeat_in_flight_bytes"], samples["rtbeat_in_flight_events"])
		harness.Pause(t.Context(), 5*time.Millisecond)
	}
	events := g.sink.Events()[g.seen:]
	g.seen += len(events)
	require.Len(t, events, len(g.due), "events at the sink: %s", rawOf(events))
	for i, e := range events {
		requireEvent(t, g.due[i], e)
	}
}

// requireEvent compares an event with its message.
func requireEvent(t testing.TB, due event, got lumbersink.Event) {
	t.Helper()
	var fields struct {
		Timestamp time.Time       `json:"@timestamp"`
		Type      string          `json:"type"`
		Message   json.RawMessage `json:"rxtxMsg"`
		ClientIP  *string         `json:"clientIp"`
		Headers   map[string]any  `json:"headers"`
		Metadata  map[string]any  `json:"@metadata"`
	}
	require.NoError(t, json.Unmarshal(got.Raw, &fields))
	_, err := compareText(due.message, fields.Message)
	require.NoError(t, err, "sent %s, at the sink %s", due.message, fields.Message)
	require.Equal(t, "rtbeat", fields.Type)
	require.WithinDuration(t, got.Received, fields.Timestamp, time.Minute)
	require.Equal(t, due.headers, fields.Headers)
	if due.clientIP == "" {
		require.Nil(t, fields.ClientIP)
	} else {
		require.NotNil(t, fields.ClientIP)
		require.Equal(t, due.clientIP, *fields.ClientIP)
	}
	var sent struct {
		UUID any `json:"uuid"`
	}
	require.NoError(t, json.Unmarshal([]byte(due.message), &sent))
	text, _ := sent.UUID.(string)
	if _, isNumber := sent.UUID.(float64); isNumber || text != "" {
		require.Equal(t, harness.DocumentID([]byte(due.message)), fields.Metadata["_id"])
	} else {
		require.NotContains(t, fields.Metadata, "_id")
	}
}

func rawOf(events []lumbersink.Event) string {
	text := ""
	for _, e := range events {
		text += fmt.Sprintf("\n  %s", e.Raw)
	}
	return text
}
