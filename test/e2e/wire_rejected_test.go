//go:build e2e

package e2e

import (
	"net"
	"testing"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// playFailing has a processor that fails on every event, because it needs a field that the messages lack.
func playFailing(t *testing.T, g *rig) {
	t.Helper()
	g.sink = harness.StartSink(t, lumbersink.Immediate()) // expects no events
	g.beat = harness.StartBeat(t, harness.Settings{Sink: g.sink.Addr(), Processors: []any{
		map[string]any{"fingerprint": map[string]any{"fields": []string{"rxtxMsg.must"}}},
	}})
	g.connect = func(t testing.TB, _ string) net.Conn {
		t.Helper()
		return dialFrom(t, "", g.beat.Addr)
	}
	g.does("failing: failed on, and failed on again", func(t *testing.T, g *rig) {
		t.Helper()
		m := g.message()
		l := newLine(t, g.connect(t, ""))
		for range 2 {
			l.write(post(batchOf(m)))
			g.hear(t, &exchange{}, no("processor_failed"), l.read(t, "POST"))
		}
	})
	g.run(t)
}

// playRejected has an output that gives up every event: a file, with a codec that needs a field that the messages lack.
func playRejected(t *testing.T, g *rig) {
	t.Helper()
	g.sink = harness.StartSink(t, lumbersink.Immediate()) // expects no events
	g.beat = harness.StartBeat(t, fileSettings(t.TempDir(), map[string]any{"codec.format.string": "%{[rxtxMsg.must]}"}))
	g.connect = func(t testing.TB, _ string) net.Conn {
		t.Helper()
		return dialFrom(t, "", g.beat.Addr)
	}
	g.does("rejected: given up, and given up again", func(t *testing.T, g *rig) {
		t.Helper()
		m := g.message()
		l := newLine(t, g.connect(t, ""))
		for range 2 {
			l.write(post(batchOf(m)))
			g.hear(t, &exchange{}, reply{reason: "output_rejected", count: 1}, l.read(t, "POST"))
		}
	})
	g.run(t)
}
