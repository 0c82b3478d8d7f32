//go:build e2e

package e2e

import (
	"net"
	"testing"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// playFailing has a processor that fails on every event: it wants a field that the messages of the cases do not have.
func playFailing(t *testing.T, g *rig) {
	t.Helper()
	g.sink = harness.StartSink(t, lumbersink.Immediate()) // where nothing is due
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

// playRejected is an output that gives every event up: a file, in a form that the messages of the cases do not have.
func playRejected(t *testing.T, g *rig) {
	t.Helper()
	g.sink = harness.StartSink(t, lumbersink.Immediate()) // where nothing is due
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
