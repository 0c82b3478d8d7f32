//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// stalledLimit is max_in_flight_bytes of a process that reaches it.
const stalledLimit = 64 << 10

// playStalled is an output that acknowledges nothing for a while.
func playStalled(t *testing.T, g *rig) {
	t.Helper()
	g.start(t, map[string]any{"timeout": 1, "stall_after": 2, "max_in_flight_bytes": stalledLimit})
	waiting := func(n int) func() bool {
		return func() bool { return g.beat.Metric("rtbeat_in_flight_requests") == float64(n) }
	}

	g.does("stalled: not acknowledged in time, and repeated", func(t *testing.T, g *rig) {
		t.Helper()
		g.hold(t)
		m := g.message()
		l := newLine(t, g.connect(t, ""))
		for range 2 {
			l.write(post(batchOf(m)))
			g.hear(t, &exchange{}, reply{reason: "ack_timeout", count: 1}, l.read(t, "POST"))
		}
		harness.RecoverSink(g.sink)
		g.due = append(g.due, event{message: m, clientIP: g.clientIP})
	})
	g.does("stalled: the sender leaves while it waits", func(t *testing.T, g *rig) {
		t.Helper()
		g.hold(t)
		m := g.message()
		before := g.answered()
		l := newLine(t, g.connect(t, ""))
		l.write(post(batchOf(m)))
		harness.Arrived(t, g.sink, g.seen+1)
		require.NoError(t, l.conn.Close())
		g.awaitAnswers(t, before+1)
		g.note("client_gone")
		require.Positive(t, g.beat.Metric("rtbeat_in_flight_bytes"), "events at the output count until their acknowledgement")
		harness.RecoverSink(g.sink)
		g.due = append(g.due, event{message: m, clientIP: g.clientIP})
	})
	g.does("stalled: the sender says that nothing more will come", func(t *testing.T, g *rig) {
		t.Helper()
		g.hold(t)
		m := g.message()
		l := newLine(t, g.connect(t, ""))
		l.write(post(batchOf(m)))
		harness.Arrived(t, g.sink, g.seen+1)
		halfClose(t, l)
		l.requireEnd(t) // Go's HTTP server takes it for the end of the connection
		g.note("client_gone")
		harness.RecoverSink(g.sink)
		g.due = append(g.due, event{message: m, clientIP: g.clientIP})
	})
	g.does("stalled: the limit is reached", func(t *testing.T, g *rig) {
		t.Helper()
		g.hold(t)
		large := `{"uuid":"` + secret + `-large","pad":"` + strings.Repeat("x", stalledLimit-2000) + `"}`
		holder := newLine(t, g.connect(t, ""))
		holder.write(post(batchOf(large)))
		harness.Arrived(t, g.sink, g.seen+1)

		l := newLine(t, g.connect(t, ""))
		l.write(request("GET /readyz HTTP/1.1"))
		g.hear(t, &exchange{}, reply{health: "/readyz", reason: "in_flight_high"}, l.read(t, "GET"))
		full := no("in_flight_limit")
		some := "[" + strings.Repeat(" ", 5000) + g.message() + "]"
		for _, text := range []string{
			post(some), chunked(some), post(batchOf(g.message())), // not before a quarter is free again
			post("{"), post(""), // whatever the body
		} {
			l.write(text)
			g.hear(t, &exchange{}, full, l.read(t, "POST"))
		}
		l.write(post(some, "Content-Type: text/csv"))
		g.hear(t, &exchange{}, no("unsupported_media_type"), l.read(t, "POST"))
		asks := newLine(t, g.connect(t, ""))
		asks.write(head("Expect: 100-continue", "Content-Length: 10"))
		g.hear(t, &exchange{}, full.last(), asks.read(t, "POST"))
		require.NoError(t, asks.conn.Close())

		g.hear(t, &exchange{}, reply{reason: "ack_timeout", count: 1}, holder.read(t, "POST"))
		harness.RecoverSink(g.sink)
		g.due = append(g.due, event{message: large, clientIP: g.clientIP})
	})
	g.does("stalled: for long", func(t *testing.T, g *rig) {
		t.Helper()
		g.hold(t)
		m, other := g.message(), g.message()
		l := newLine(t, g.connect(t, ""))
		l.write(post(batchOf(m)))
		harness.Arrived(t, g.sink, g.seen+1)
		g.hear(t, &exchange{}, reply{reason: "ack_timeout", count: 1}, l.read(t, "POST"))
		harness.Await(t, answerWithin, "a stall", func() bool { return g.beat.Metric("rtbeat_output_stalled") == 1 })

		l.write(request("GET /readyz HTTP/1.1"))
		g.hear(t, &exchange{}, reply{health: "/readyz", reason: "output_stalled"}, l.read(t, "GET"))
		l.write(request("GET /livez HTTP/1.1"))
		g.hear(t, &exchange{}, reply{health: "/livez"}, l.read(t, "GET"))
		for _, text := range []string{post(batchOf(other)), post(other, typeNDJSON), post(batchOf(m, other))} {
			l.write(text)
			g.hear(t, &exchange{}, no("output_stalled"), l.read(t, "POST"))
		}
		l.write(post("[]"))
		g.hear(t, &exchange{}, ok(), l.read(t, "POST"))
		// A batch in flight may wait.
		l.write(post(batchOf(m)))
		g.hear(t, &exchange{}, reply{reason: "ack_timeout", count: 1}, l.read(t, "POST"))
		harness.RecoverSink(g.sink)
		harness.Await(t, answerWithin, "the end of the stall", func() bool { return g.beat.Metric("rtbeat_output_stalled") == 0 })
		g.due = append(g.due, event{message: m, clientIP: g.clientIP})
		l.write(post(batchOf(other)))
		g.hear(t, &exchange{}, ok(other), l.read(t, "POST"))
	})
	g.does("stalled: the sender leaves in its body", func(t *testing.T, g *rig) {
		t.Helper()
		before := g.answered()
		l := newLine(t, g.connect(t, ""))
		l.write(halfARequest)
		harness.Await(t, answerWithin, "a request inside", waiting(1))
		require.NoError(t, l.conn.Close())
		g.awaitAnswers(t, before+1)
		g.note("body_truncated")
	})
	heavyCases(g.script)
	g.run(t)
}

// hold makes the sink receive events and acknowledge none, until the case releases it or ends.
func (g *rig) hold(t testing.TB) {
	t.Helper()
	g.sink.SetPolicy(lumbersink.Never())
	t.Cleanup(func() { harness.RecoverSink(g.sink) })
}

// heavyCases are small bodies that are large when decoded.
func heavyCases(s *script) {
	const n = 4000
	for name, body := range map[string]string{
		"empty messages":     "[" + strings.Repeat("{},", n) + "{}]",
		"messages of one":    `{"messages":[` + strings.Repeat(`{"a":0},`, n) + `{}]}`,
		"empty objects":      `[{"k":[` + strings.Repeat("{},", 2*n) + `{}]}]`,
		"objects in objects": `[` + strings.Repeat(`{"a":{"a":{"a":{}}}},`, n/4) + `{}]`,
	} {
		s.add("heavy: "+name, post(body), no("batch_too_large"))
		s.add("heavy: compressed "+name, post(string(gzipped([]byte(body))), "Content-Encoding: gzip"), no("batch_too_large"))
	}
	s.add("heavy: lines", post(strings.Repeat("{}\n", n), typeNDJSON), no("batch_too_large"))
	s.add("heavy: announced", head(fmt.Sprintf("Content-Length: %d", stalledLimit+1)), no("batch_too_large"))
	s.add("heavy: chunks", chunked("["+strings.Repeat(" ", stalledLimit)), no("batch_too_large"))
	s.add("heavy: compressed", post(string(gzipped([]byte(`[{"k":"`+strings.Repeat("x", stalledLimit)+`"}]`))), "Content-Encoding: gzip"), no("batch_too_large"))
	list := s.messages(20)
	s.add("heavy: not at all", post(batchOf(list...)), ok(list...))
}

// playStopping is a process that is stopped while senders wait.
func playStopping(t *testing.T, g *rig) {
	t.Helper()
	g.connect = func(t testing.TB, how string) net.Conn {
		t.Helper()
		if how == "admin" {
			return dialFrom(t, "", g.beat.Health)
		}
		return dialFrom(t, "", g.beat.Addr)
	}
	g.start(t, map[string]any{
		"timeout": 30, "shutdown_timeout": 5, "shutdown_delay": 2, "admin": map[string]any{"host": "127.0.0.1", "port": freePort(t)},
	})
	m := g.message()
	waits, body := newLine(t, g.connect(t, "")), newLine(t, g.connect(t, ""))
	idle, longer := newLine(t, g.connect(t, "")), newLine(t, g.connect(t, ""))
	t.Run("stopping: a batch before", func(t *testing.T) {
		g.hits.count()
		for _, l := range []*line{idle, longer} {
			first := g.message()
			l.write(post(batchOf(first)))
			g.hear(t, &exchange{}, ok(first), l.read(t, "POST"))
		}
		g.settle(t)
	})
	g.sink.SetPolicy(lumbersink.Never())
	waits.write(post(batchOf(m)))
	harness.Arrived(t, g.sink, g.seen+1)
	body.write(halfARequest)
	g.beat.Terminate()

	t.Run("stopping: health during shutdown_delay", func(t *testing.T) {
		g.hits.count()
		harness.Await(t, answerWithin, "/readyz at 503", func() bool { return g.beat.Get("/readyz").Code == 503 })
		for _, want := range []reply{{health: "/readyz", reason: "stopping"}, {health: "/livez"}} {
			l := newLine(t, g.connect(t, "admin"))
			l.write(request("GET " + want.health + " HTTP/1.1"))
			g.hear(t, &exchange{}, want.last(), l.read(t, "GET"))
			l.requireEnd(t)
		}
	})
	t.Run("stopping: batches during shutdown_delay", func(t *testing.T) {
		g.hits.count()
		idle.write(post("[]"))
		g.hear(t, &exchange{}, ok().last(), idle.read(t, "POST"))
		idle.requireEnd(t)
	})
	t.Run("stopping: an open connection afterwards", func(t *testing.T) {
		g.hits.count()
		harness.Await(t, answerWithin, "a closed port", func() bool {
			conn, err := net.DialTimeout("tcp", g.beat.Addr, time.Second)
			if err == nil {
				_ = conn.Close()
			}
			return err != nil
		})
		longer.write(post("[]"))
		g.hear(t, &exchange{}, ok().last(), longer.read(t, "POST"))
		longer.requireEnd(t)
	})
	t.Run("stopping: who waits when the time is up", func(t *testing.T) {
		g.hits.count()
		g.hear(t, &exchange{}, no("stopping"), waits.read(t, "POST"))
		waits.requireEnd(t)
	})
	t.Run("stopping: who still sends when the time is up", func(t *testing.T) {
		g.hits.count()
		g.hear(t, &exchange{}, no("stopping"), body.read(t, "POST"))
		body.requireEnd(t)
	})
	code, _ := g.beat.WaitExit(answerWithin)
	require.Zero(t, code)
	require.Equal(t, g.seen+1, g.sink.Received(), "events at the sink")
	require.NotContains(t, g.beat.Log.String(), secret)
}
