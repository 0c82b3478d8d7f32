//go:build monitoring

package monitoring

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

const (
	// phaseLasts is longer than the ranges of 5 s.
	phaseLasts = 8 * time.Second
	// settles is the part of a phase in which ranges still reach back to the phase before.
	settles = 6 * time.Second
	// happensWithin bounds each wait on a loaded machine.
	happensWithin = 60 * time.Second
)

// The two ways of scraping.
const (
	openMetrics = "openmetrics"
	textFormat  = "text"
)

const stalledAlert = "RtbeatOutputStalled fast "

// story is a run of rtbeat through all phases.
type story struct {
	t    testing.TB
	p    *prometheus
	time map[phase][2]time.Time
	// wrong collects all failures of a story, because a story takes a minute.
	wrong []string
}

// phase lasts for a while, and records its time.
func (s *story) phase(name phase, until func()) {
	from := time.Now()
	harness.Pause(s.t.Context(), settles)
	settled := time.Now()
	harness.Pause(s.t.Context(), phaseLasts)
	if until != nil {
		until()
	}
	if name == stalled { // the phase includes its beginning: the queue fills
		settled = from.Add(settles)
	}
	s.time[name] = [2]time.Time{settled, time.Now().Add(-time.Second)}
}

// alert waits until an alert of both instances is in a state. Empty means neither pending nor firing.
func (s *story) alert(name string, state v1.AlertState) {
	s.t.Helper()
	harness.Await(s.t, happensWithin, name+"is "+string(state), func() bool {
		alerts := s.p.alerts()
		return alerts[name+openMetrics] == state && alerts[name+textFormat] == state
	})
}

func TestEveryQueryShowsWhatHappens(t *testing.T) {
	harness.FindProgram(t, "prometheus")
	sink := harness.StartSink(t, lumbersink.Immediate())
	cert, key, pool := certificate(t)
	beat := harness.StartBeat(t, harness.Settings{
		Sink: sink.Addr(),
		Rtbeat: map[string]any{
			"timeout": timeout, "stall_after": 4, "max_connections": maxConnections, "max_in_flight_bytes": maxBytes, "max_body_bytes": maxBytes / 4,
			"shutdown_timeout": 5,
			"ssl":              map[string]any{"enabled": true, "certificate": cert, "key": key},
			"auth":             map[string]any{"bearer": map[string]any{"tokens": []string{token}}},
			"admin":            map[string]any{"host": "127.0.0.1", "port": freePort(t)},
		},
		Queue:      map[string]any{"events": queueEvents, "flush.min_events": queueEvents / 2, "flush.timeout": 0},
		Processors: []any{map[string]any{"drop_event": map[string]any{"when": map[string]any{"equals": map[string]any{"rxtxMsg.label": "drop"}}}}},
	})
	open, text := newWay(t, beat.Health, ""), newWay(t, beat.Health, "text/plain;version=0.0.4")
	p := startPrometheus(t, []scrape{{openMetrics, open.addr}, {textFormat, text.addr}}, []string{deploy(t, "prometheus/rules.yml"), fastRules(t)})
	binary := newWay(t, beat.Health, "")
	native := &story{t: t, time: make(map[phase][2]time.Time), p: startPrometheus(t, []scrape{{"native", binary.addr}},
		[]string{deploy(t, "prometheus/rules.yml")}, "--enable-feature=native-histograms")}
	s := &story{t: t, p: p, time: make(map[phase][2]time.Time)}
	load := newSenders(t, beat.Addr, pool)

	load.good(4)
	s.phase(well, func() {
		for name, state := range p.alerts() { // one failed scrape does not yet mean that an instance is down
			require.True(t, strings.HasPrefix(name, "RtbeatDown ") && state == v1.AlertStatePending, "%s is %s in a healthy phase", name, state)
		}
		for _, format := range []string{"", "text/plain;version=0.0.4"} {
			body, _ := get(t.Context(), t, beat.Health, format)
			lint(t, body)
		}
	})

	endBad, endFill := load.during(load.bad), load.during(func(ctx context.Context) { load.fill(ctx, 4) })
	s.phase(trouble, func() {
		for _, name := range []string{"RtbeatSenderBlocked", "RtbeatSenderUnauthorized", "RtbeatConnectionsDisplaced", "RtbeatTLSHandshakesFail"} {
			s.alert(name+" fast ", v1.AlertStateFiring)
		}
	})
	endBad()
	endFill()

	more := newSenders(t, beat.Addr, pool) // enough for libbeat's queue and the queue
	more.name = "more"
	sink.SetPolicy(lumbersink.Never())
	more.good(12)
	s.phase(stalled, func() {
		s.alert(stalledAlert, v1.AlertStateFiring)
		s.alert("RtbeatAnswersFail fast ", v1.AlertStateFiring)
		s.alert("RtbeatQueueFull fast ", v1.AlertStateFiring)
		require.Equal(t, v1.AlertStatePending, p.alerts()["RtbeatOutputStalled  "+openMetrics], "the shipped alert waits for 5 minutes")
	})
	more.end()

	from := time.Now()
	sink.Cut()
	harness.RecoverSink(sink)
	s.alert("RtbeatOutputFails fast ", v1.AlertStateFiring)
	s.alert(stalledAlert, "")
	s.time[back] = [2]time.Time{from, time.Now()}

	load.end()
	beat.Stop()
	s.phase(gone, func() { s.alert("RtbeatDown fast ", v1.AlertStateFiring) })

	p.Healthy()
	require.Equal(t, []string{"application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"}, open.spoke(), "Prometheus's Accept header")
	for _, format := range text.spoke() {
		require.True(t, strings.HasPrefix(format, "text/plain; version=0.0.4"), format)
	}
	s.queries()
	s.recordings()
	require.Empty(t, s.wrong)

	for _, format := range binary.spoke() {
		require.True(t, strings.HasPrefix(format, "application/vnd.google.protobuf"), format)
	}
	native.time[well] = s.time[well]
	native.quantiles()
}

// quantiles queries a Prometheus that scrapes native histograms, and so has no classic buckets.
func (s *story) quantiles() {
	s.t.Helper()
	during := s.time[well]
	require.Empty(s.t, s.p.Series("rtbeat_ack_duration_seconds_bucket", during[0], during[1]), "the test needs native histograms")
	asked := 0
	for _, q := range panels(s.t) {
		if strings.Contains(q.expr, "histogram_quantile") {
			asked++
			s.holds(q.key, q.expr, expected[q.key])
		}
	}
	require.Equal(s.t, 7, asked)
	for name, expr := range shippedRules(s.t).records() {
		if strings.Contains(expr, "histogram_quantile") {
			asked++
			s.holds(name, name, recorded[name])
		}
	}
	require.Equal(s.t, 10, asked)
	require.Empty(s.t, s.wrong)
}

// queries checks each query of the dashboard.
func (s *story) queries() {
	s.t.Helper()
	all := panels(s.t)
	var keys []string
	for _, q := range all {
		if strings.HasPrefix(q.key, "Queue on disk / ") { // TestDurableModeShowsWhatIsOnDisk
			require.Contains(s.t, onDisk, q.key)
			require.Empty(s.t, s.p.Series(q.expr, s.time[well][0], s.time[gone][1]), "%s: this is memory mode", q.key)
			continue
		}
		keys = append(keys, q.key)
	}
	require.ElementsMatch(s.t, slices.Collect(maps.Keys(expected)), keys, "each query is expected to show something")
	for _, q := range all {
		s.holds(q.key, q.expr, expected[q.key])
	}
}

// recordings checks the recording rules, for each way of scraping.
func (s *story) recordings() {
	s.t.Helper()
	records := shippedRules(s.t).records()
	require.ElementsMatch(s.t, slices.Collect(maps.Keys(recorded)), slices.Collect(maps.Keys(records)))
	for _, name := range slices.Sorted(maps.Keys(records)) {
		if strings.HasPrefix(name, "job") {
			s.holds(name, name, recorded[name])
			continue
		}
		for _, instance := range []string{openMetrics, textFormat} {
			s.holds(name, name+`{instance="`+instance+`"}`, recorded[name])
		}
	}
}

func (s *story) holds(name, expr string, wants []want) {
	s.t.Helper()
	for _, w := range wants {
		during, known := s.time[w.in]
		require.True(s.t, known, "%s: no phase %s", name, w.in)
		least, most, ok := w.holds(s.p.Series(expr, during[0], during[1]))
		s.t.Logf("%-55s %-8s %14.6g %14.6g", name, w.in, least, most)
		if !ok {
			s.wrong = append(s.wrong, fmt.Sprintf("%s, while %s: from %g to %g, wanted the least in [%g, %g] and the most in [%g, %g]: %s",
				name, w.in, least, most, w.leastFrom, w.leastUpTo, w.mostFrom, w.mostUpTo, expr))
		}
	}
}
