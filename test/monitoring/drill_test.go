//go:build drill

package monitoring

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// update writes the results into docs/runbooks.md. Without it they are compared.
var update = flag.Bool("update", false, "write the table of the drill into docs/runbooks.md")

// fault is a failure, with everything that an operator must see of it. Other and earlier signs do not matter. A missing sign
// fails the drill.
type fault struct {
	name     string
	settings map[string]any
	begin    func(w *world)
	end      func(w *world)
	// lasting says whether rtbeat runs on after the fault.
	lasting bool

	ready  string   // of /readyz: code, reason, and the key that decides
	series []series // the metrics that change
	alerts []string // the firing alerts, with short waits instead of the shipped ones
	page   string   // the verdict: state, and cause
	line   string   // the beginning of a log line
	level  string   // of that line
}

// series is a metric with its change: it grows, or has a value.
type series struct {
	name  string
	value float64
	grows bool
}

func (s series) String() string {
	if s.grows {
		return "`" + s.name + "` grows"
	}
	return fmt.Sprintf("%#q is %g", s.name, s.value)
}

func answers(code, reason string) series {
	return series{name: fmt.Sprintf(`rtbeat_answers_total{code=%q,reason=%q,source="in"}`, code, reason), grows: true}
}

const wellReady = "200 ready"

var faults = []fault{
	{
		name:    "Logstash takes events and acknowledges none",
		begin:   func(w *world) { w.sink.SetPolicy(lumbersink.Never()) },
		end:     func(w *world) { harness.RecoverSink(w.sink) },
		lasting: true,
		ready:   "503 output_stalled (rtbeat.stall_after)",
		series:  []series{{name: "rtbeat_output_stalled", value: 1}, answers("504", "ack_timeout")},
		alerts:  []string{"RtbeatOutputStalled", "RtbeatAnswersFail"},
		page:    "stalled, output",
		line:    "the output is stalled", level: "error",
	},
	{
		name:    "Logstash is down",
		begin:   func(w *world) { w.sink.SetPolicy(lumbersink.Refuse()) },
		end:     func(w *world) { harness.RecoverSink(w.sink) },
		lasting: true,
		ready:   "503 output_stalled (rtbeat.stall_after)",
		series:  []series{{name: "rtbeat_output_stalled", value: 1}, {name: "rtbeat_libbeat_output_write_errors_total", grows: true}},
		alerts:  []string{"RtbeatOutputStalled", "RtbeatOutputFails"},
		page:    "stalled, output",
		line:    "connections to Logstash break before an acknowledgement", level: "error",
	},
	{
		name:    "a sender is too slow",
		begin:   func(w *world) { w.background(dribble) },
		end:     func(w *world) { w.endFault() },
		lasting: true,
		ready:   wellReady,
		series:  []series{answers("408", "body_timeout")},
		page:    "delivering, nobody",
		line:    "request refused: the body came too slowly", level: "warn",
	},
	{
		name:    "a sender repeats a body that is not JSON",
		begin:   func(w *world) { w.background(babble) },
		end:     func(w *world) { w.endFault() },
		lasting: true,
		ready:   wellReady,
		series:  []series{answers("400", "malformed_json"), {name: `rtbeat_decode_failures_total{reason="malformed_json",source="in"}`, grows: true}},
		alerts:  []string{"RtbeatSenderBlocked"},
		page:    "delivering, nobody",
		line:    "request refused: the body is not valid JSON", level: "warn",
	},
	{
		name:     "more events than the output takes, up to the in-flight limit",
		settings: map[string]any{"max_in_flight_bytes": "256KiB", "max_body_bytes": "128KiB", "stall_after": "60s", "timeout": "20s"},
		begin: func(w *world) {
			w.sink.SetPolicy(lumbersink.Delay(2 * time.Second))
			w.background(flood)
		},
		end: func(w *world) {
			w.endFault()
			harness.RecoverSink(w.sink)
		},
		lasting: true,
		ready:   "503 in_flight_high (rtbeat.max_in_flight_bytes)",
		series:  []series{{name: "rtbeat_in_flight_high", value: 1}, answers("503", "in_flight_limit")},
		alerts:  []string{"RtbeatInFlightNearLimit", "RtbeatAnswersFail"},
		page:    "refusing, output",
		line:    "nine tenths of rtbeat.max_in_flight_bytes are in flight", level: "warn",
	},
	{
		name:     "SIGTERM while senders send",
		settings: map[string]any{"shutdown_timeout": "30s", "shutdown_delay": "20s"},
		begin:    func(w *world) { w.beat.Terminate() },
		end:      func(w *world) { w.ended() },
		ready:    "503 stopping (rtbeat.shutdown_delay)",
		series:   []series{{name: `rtbeat_phase{phase="leaving"}`, value: 1}},
		page:     "stopping, nobody",
		line:     "stopped: ", level: "info",
	},
}

// TestDrill injects one fault after the other, each with its own rtbeat.
func TestDrill(t *testing.T) {
	var table strings.Builder
	table.WriteString("| fault | `/readyz` | metrics | alerts | page | log |\n|---|---|---|---|---|---|\n")
	seen := 0
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			f.drill(t)
			seen++
		})
		table.WriteString(f.row())
	}
	if seen < len(faults) { // a failure, or -run: the table needs all of them
		return
	}
	path := filepath.Join(harness.RepoRoot, "docs", "runbooks.md")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), "<!-- drill -->\n")
	require.True(t, found)
	_, after, found := strings.Cut(rest, "<!-- end of drill -->")
	require.True(t, found)
	want := before + "<!-- drill -->\n" + table.String() + "<!-- end of drill -->" + after
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(text), "the table in docs/runbooks.md is out of date; `make drill UPDATE=1` writes it")
}

// row is the drill's result for a fault whose signs were all seen.
func (f *fault) row() string {
	var moved []string
	for _, s := range f.series {
		moved = append(moved, strings.ReplaceAll(s.String(), "|", `\|`))
	}
	alerts := "–"
	if len(f.alerts) > 0 {
		var links []string
		for _, a := range f.alerts {
			links = append(links, fmt.Sprintf("[%s](#%s)", a, strings.ToLower(a)))
		}
		alerts = strings.Join(links, "<br>")
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s: `%s…` |\n", f.name, f.ready, strings.Join(moved, "<br>"), alerts, f.page, f.level, f.line)
}

// drill injects a fault, checks all its signs, and waits for their end.
func (f *fault) drill(t *testing.T) {
	t.Helper()
	harness.FindProgram(t, "prometheus")
	w := newWorld(t, f.settings)
	w.await("well", func() bool { return w.ready() == wellReady && w.page() == "delivering, nobody" && len(w.firing()) == 0 })
	before := w.beat.Metrics()

	f.begin(w)
	w.await("/readyz: "+f.ready, func() bool { return w.ready() == f.ready })
	for _, s := range f.series {
		w.await(s.String(), func() bool {
			now, there := w.beat.Metrics()[s.name]
			return there && (s.grows && now > before[s.name] || !s.grows && now == s.value)
		})
	}
	w.await("page: "+f.page, func() bool { return w.page() == f.page })
	for _, alert := range f.alerts {
		w.await(alert, func() bool { return w.firing()[alert] })
	}
	if !f.lasting { // the line is the process's last one
		f.end(w)
	}
	w.await("log: "+f.line, func() bool {
		entry, found := w.beat.Log.Find(f.line)
		return found && entry.Fields["log.level"] == f.level
	})
	if f.lasting {
		f.end(w)
		// Alerts on rates last as long as their ranges: minutes.
		w.await("well again", func() bool { return w.ready() == wellReady && w.page() == "delivering, nobody" })
		w.quiet()
		w.beat.Stop()
	}
	w.ledger.Check(t, w.sink)
}
