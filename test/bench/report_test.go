package bench

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// figure is the median of a few rounds, with the minimum and the maximum.
type figure struct{ median, min, max float64 }

// over is the figure of one property of the samples.
func over(samples []sample, property func(sample) float64) figure {
	var values []float64
	for _, s := range samples {
		values = append(values, property(s))
	}
	return figure{median: percentile(values, 50), min: percentile(values, 0), max: percentile(values, 100)}
}

// percentile is the smallest value that at least p percent of the values do not exceed. Without values it is 0.
func percentile[T cmp.Ordered](values []T, p float64) (found T) {
	if len(values) == 0 {
		return found
	}
	rank := int(math.Ceil(p/100*float64(len(values)) - 1e-9)) // from 1; a float cannot hold 99.9 exactly
	return slices.Sorted(slices.Values(values))[min(max(rank, 1), len(values))-1]
}

// busy is the share of its core from which the bench, not rtbeat, limits the events a second.
const busy = 0.95

func (r *results) row(name string) *row {
	i := slices.IndexFunc(r.rows, func(r *row) bool { return r.name == name })
	if i < 0 {
		return &row{}
	}
	return r.rows[i]
}

// markdown is the report.
func (r *results) markdown(machine string) string {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("# Benchmarks\n")
	line("Written by `make bench BENCH_OUT=docs/benchmarks`. Compare figures of one run only with each other. [profile.md](profile.md) says where the time goes.\n")
	line("- %s", machine)
	line("- %d rounds of %v, all rows interleaved: medians, minima and maxima", *rounds, *duration)
	line("- the measured process is pinned to one core; the bench, with senders and sink, to another")
	line("- every answer was 200, and every acknowledged event has reached the sink\n")
	r.throughput(line)
	if r.rest.starts == nil { // only rows were measured
		return text.String()
	}
	r.latency(line)
	r.startAndMemory(line)
	line("## Targets\n")
	line("| target | found | asked | |\n|---|--:|--:|---|")
	for _, t := range r.targets() {
		line("| %s | %s |", t.what, t.verdict())
	}
	return text.String()
}

func (r *results) throughput(line func(string, ...any)) {
	line("## CPU and throughput\n")
	line("Messages have about 370 bytes, dedupe is on, bodies are plain, and there are no processors. Each row below rtbeat's first has one change.\n")
	line("| | CPU s a million events | least – most | events/s a core | events/s | others on its core | bench's core |\n|---|--:|--:|--:|--:|--:|--:|")
	marked := false
	for _, row := range r.rows {
		cpu, name, mark := row.cpu(), row.name, ""
		share := over(row.samples, sample.benchShare).median
		if share > busy {
			mark, marked = " ¹", true
		}
		if !row.limit && name != rowBaseline {
			name = "– " + name
		}
		line("| %s | %.2f | %.2f – %.2f | %.0f | %.0f%s | %.0f %% | %.0f %% |", name, cpu.median, cpu.min, cpu.max, 1e6/cpu.median,
			row.rate().median, mark, over(row.samples, sample.othersShare).median*100, share*100)
	}
	line("")
	if marked {
		line("¹ The bench's core was the limit: events/s says little then, CPU s still holds.\n")
	}
	line("- *others on its core*: the share of other processes on the measured core. More than a few %% lower events/s, and CPU s hardly.")
	line("- *%s*: go-lumber's client sends one window of 2048 captured events again and again, level 3, two windows at once.", rowProtocol)
	line("- *%s*: a Beat that publishes rtbeat's events through the same pipeline and output. Its figure includes making the events; the row before has that alone.", rowCeiling)
	line("- *gzip*: senders compress each body anew, so dedupe stays on.")
	line("- *%s*, *%s*, *%s*: with `rtbeat.max_in_flight_bytes: %s`, because the default admits less in flight.", rowLong, rowLarge, rowMany, inFlightLimit)
	line("- *three processors*: `add_host_metadata`, `drop_fields`, and a `drop_fields` with a condition on `rxtxMsg.payload.tariff` that is never true.\n")
}

func (r *results) latency(line func(string, ...any)) {
	line("## Latency\n")
	line("Batches of 20 at fixed rates, from the intended start to the answer. 100 %% is the rate of 16 waiting senders above. *Sent late* is p50 and p99 from the intended to the actual start: the bench's own delay, and the wait for one of 64 senders.\n")
	line("| rate | requests/s | requests | p50 | p90 | p99 | p99.9 | sent late |\n|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, s := range r.steps {
		line("| %.0f %% | %.0f | %d | %s | %s |", s.share*100, s.rate, s.requests, ms(s.latencies, " | ", 50, 90, 99, 99.9), ms(s.lateness, ", ", 50, 99))
	}
	line("\nOne message at a time, %d requests with nothing else to do, and raw lumberjack round trips of one event from rtbeat's core to the same sink, interleaved:\n", len(r.singles.posts))
	line("| | p50 | p99 |\n|---|--:|--:|")
	line("| POST /in | %s |\n| raw round trip | %s |\n", ms(r.singles.posts, " | ", 50, 99), ms(r.singles.raw, " | ", 50, 99))
}

// ms writes percentiles in milliseconds.
func ms(took []time.Duration, separator string, percents ...float64) string {
	var texts []string
	for _, p := range percents {
		texts = append(texts, fmt.Sprintf("%.2f ms", percentile(took, p).Seconds()*1000))
	}
	return strings.Join(texts, separator)
}

func (r *results) startAndMemory(line func(string, ...any)) {
	line("## Start, rest, memory\n")
	line("| | |\n|---|--:|")
	starts := r.rest.starts
	line("| start to the first 200, on one core | %.2f s (%.2f – %.2f) |", percentile(starts, 50), slices.Min(starts), slices.Max(starts))
	line("| CPU at rest | %.3f %% |", r.rest.cpu*100)
	line("| resident at rest | %.0f MB |", r.rest.resident)
	line("| resident at most with the default limits, 8 senders of 5000 included | %.0f MB |", r.peak)
	if r.idle.skipped != "" {
		line("| 10,000 idle connections | skipped: %s |\n", r.idle.skipped)
		return
	}
	line("| 10,000 idle connections | %.0f MB |", r.idle.memory)
	with, without := r.idle.with, r.idle.without
	line("| 500 × 16 with them, and without | %.0f, %.0f events/s |", over(with, sample.rate).median, over(without, sample.rate).median)
	line("| CPU s a million events with them, and without | %.2f, %.2f |\n", over(with, sample.cpuPerMillion).median, over(without, sample.cpuPerMillion).median)
}

// target is a requirement. All but the last few are ratios within a run: other machines have other figures.
type target struct {
	what       string
	got, limit float64
	atLeast    bool
	format     string // of both
	skipped    string // the reason why there is no figure
}

func (t target) verdict() string {
	sign, met := "≤ ", t.got <= t.limit
	if t.atLeast {
		sign, met = "≥ ", t.got >= t.limit
	}
	asked := sign + fmt.Sprintf(t.format, t.limit)
	switch {
	case t.skipped != "":
		return "– | " + asked + " | skipped: " + t.skipped
	case met:
		return fmt.Sprintf(t.format, t.got) + " | " + asked + " | pass"
	}
	return fmt.Sprintf(t.format, t.got) + " | " + asked + " | **fail**"
}

func (r *results) targets() []target {
	const times, mb = "%.2f ×", "%.0f MB"
	cpu := func(name string) float64 { return r.row(name).cpu().median }
	rate := func(name string) float64 { return r.row(name).rate().median }
	single := func(p float64) float64 {
		return percentile(r.singles.posts, p).Seconds() / percentile(r.singles.raw, p).Seconds()
	}
	idleRate := over(r.idle.with, sample.rate).median / over(r.idle.without, sample.rate).median
	return []target{
		{what: "CPU an event, 500 × 16, beside libbeat's ceiling", got: cpu(rowBaseline) / cpu(rowCeiling), limit: 1.3, format: times},
		{what: "CPU an event, batches of 5000 beside 500", got: cpu(rowLong) / cpu(rowBaseline), limit: 1.05, format: times},
		{what: "CPU of a request of one message beside that of an event in batches of 500", got: cpu(rowSingle) / cpu(rowBaseline), limit: 12, format: times},
		{what: "throughput of 256 senders beside 16", got: rate(rowMany) / rate(rowBaseline), limit: 0.95, atLeast: true, format: times},
		{what: "POST of one message beside a raw round trip, p50", got: single(50), limit: 3, format: times},
		{what: "POST of one message beside a raw round trip, p99", got: single(99), limit: 5, format: times},
		{what: "throughput with 10,000 idle connections beside none", got: idleRate, limit: 0.95, atLeast: true, format: times, skipped: r.idle.skipped},
		{what: "memory of 10,000 idle connections", got: r.idle.memory, limit: 150, format: mb, skipped: r.idle.skipped},
		{what: "start to the first 200", got: percentile(r.rest.starts, 50), limit: 0.4, format: "%.2f s"},
		{what: "CPU at rest", got: r.rest.cpu * 100, limit: 0.1, format: "%.3f %%"},
		{what: "resident at rest", got: r.rest.resident, limit: 70, format: mb},
		{what: "resident at most, 500 × 16", got: r.fullLoad, limit: 200, format: mb},
	}
}

func TestPercentile(t *testing.T) {
	require.Zero(t, percentile([]float64(nil), 50))
	var took []time.Duration
	for i := 1000; i > 0; i-- {
		took = append(took, time.Duration(i))
	}
	for p, want := range map[float64]time.Duration{0: 1, 50: 500, 90: 900, 99: 990, 99.9: 999, 100: 1000} {
		require.Equal(t, want, percentile(took, p), p)
	}
	require.Equal(t, time.Duration(7), percentile([]time.Duration{7}, 99.9))
	require.InDelta(t, 3, percentile([]float64{9, 1, 3}, 50), 0)
}

// found is a run in which every figure is as high as its target allows, except for batches of 5000.
func found() *results {
	of := func(name string, cpu float64) *row {
		return &row{name: name, limit: name == rowCeiling, samples: []sample{{events: 1_000_000, wall: 10, cpu: cpu, bench: 1}}}
	}
	half := []sample{{events: 1, wall: 1}}
	return &results{
		rows:     []*row{of(rowCeiling, 10), of(rowBaseline, 13), of(rowTwenty, 15), of(rowSingle, 100), of(rowLong, 20), of(rowMany, 13)},
		steps:    []*step{{share: 0.1, schedule: schedule{rate: 100, requests: 1}, timings: timings{latencies: []time.Duration{time.Millisecond}}}},
		singles:  singles{posts: []time.Duration{3}, raw: []time.Duration{1}},
		rest:     rest{starts: []float64{0.25}, resident: 60},
		idle:     idle{with: half, without: half},
		fullLoad: 150,
		peak:     150,
	}
}

func TestTargets(t *testing.T) {
	failed := func(run *results) (failed []string) {
		for _, target := range run.targets() {
			if strings.HasSuffix(target.verdict(), "**fail**") {
				failed = append(failed, target.what)
			}
		}
		return failed
	}
	run := found()
	require.Equal(t, []string{"CPU an event, batches of 5000 beside 500"}, failed(run))
	run.row(rowLong).samples = run.row(rowBaseline).samples
	require.Empty(t, failed(run))
	run.idle = idle{skipped: "too few files"}
	require.Empty(t, failed(run), "a figure that was not measured has no verdict")
	run.rest.resident = 71
	require.Equal(t, []string{"resident at rest"}, failed(run))
}

func TestReport(t *testing.T) {
	run := found()
	text := run.markdown("")
	require.Contains(t, text, "| rtbeat, 500 × 16 senders | 13.00 | 13.00 – 13.00 | 76923 | 100000 | 0 % | 10 % |")
	require.Contains(t, text, "| CPU an event, 500 × 16, beside libbeat's ceiling | 1.30 × | ≤ 1.30 × | pass |")
	require.Contains(t, text, "| CPU an event, batches of 5000 beside 500 | 1.54 × | ≤ 1.05 × | **fail** |")
	require.NotContains(t, text, "%!")
	require.NotContains(t, text, "¹")
	run.rows[0].samples[0].bench = 10
	run.idle = idle{skipped: "too few files"}
	text = run.markdown("")
	require.Contains(t, text, "100000 ¹ |")
	require.Contains(t, text, "| – | ≤ 150 MB | skipped: too few files |")
	for line := range strings.Lines(text) {
		require.True(t, !strings.HasPrefix(line, "|") || strings.HasSuffix(line, "|\n"), line)
	}
	require.NotContains(t, (&results{rows: run.rows}).markdown(""), "## Targets")
}
