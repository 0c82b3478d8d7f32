package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// busy is from which share of its core on the bench, not rtbeat, is what sets the events a second.
const busy = 0.95

// publishReport prints the report, and writes it and the plot where a folder is given.
func publishReport(out io.Writer, o options, m machine, r *results) error {
	text := r.markdown(o, m)
	fmt.Fprint(out, text)
	if o.out != "" {
		if err := os.MkdirAll(o.out, 0o755); err != nil {
			return fmt.Errorf("making the folder of the report: %w", err)
		}
		for name, content := range map[string]string{"README.md": text, "bench.svg": plot(r.rows)} {
			if err := os.WriteFile(filepath.Join(o.out, name), []byte(content), 0o644); err != nil {
				return fmt.Errorf("writing the report: %w", err)
			}
		}
	}
	if o.strict && r.missed() {
		return errMissed
	}
	return nil
}

// markdown is the report.
func (r *results) markdown(o options, m machine) string {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("# Benchmarks\n")
	line("Written by `make bench BENCH_OUT=docs/benchmarks`. Compare figures of one run only with each other. [profile.md](profile.md) says where the time goes.\n")
	line("- %s", m)
	commit := o.commit
	if commit == "" {
		commit = "not given"
	}
	line("- %s, commit %s", m.date.Format(time.DateOnly+" 15:04 UTC"), commit)
	line("- %d rounds of %v, all rows interleaved: medians, minima and maxima", o.rounds, o.duration)
	line("- the measured process is pinned to one core; the bench, with senders and sink, to another")
	line("- every answer was 200, and every acknowledged event has reached the sink\n")
	r.throughput(line)
	if o.rows != nil {
		return text.String()
	}
	r.latency(line)
	r.idle(line)
	line("## Targets\n")
	line("| target | found | asked | |\n|---|--:|--:|---|")
	for _, t := range r.targets() {
		found := "–"
		if t.skipped == "" {
			found = fmt.Sprintf(t.format, t.got)
		}
		line("| %s | %s | %s | %s |", t.what, found, t.bound(), t.verdict())
	}
	return text.String()
}

func (r *results) throughput(line func(string, ...any)) {
	line("## CPU and throughput\n")
	line("Messages have about 370 bytes, dedupe is on, bodies are plain, and there are no processors. Each row below rtbeat's first has one change.\n")
	line("![CPU seconds a million events](bench.svg)\n")
	line("| | CPU s a million events | least – most | events/s a core | events/s | others on its core | bench's core |\n|---|--:|--:|--:|--:|--:|--:|")
	marked := false
	for _, row := range r.rows {
		cpu, mark := row.cpu(), ""
		share := over(row.samples, sample.benchShare).median
		if share > busy {
			mark, marked = " ¹", true
		}
		name := row.name
		if !row.limit && name != rowBaseline {
			name = "– " + name
		}
		rate := fmt.Sprintf("%.0f%s", row.rate().median, mark)
		line("| %s | %.2f | %.2f – %.2f | %.0f | %s | %.0f %% | %.0f %% |", name, cpu.median, cpu.min, cpu.max, 1e6/cpu.median, rate, over(row.samples, sample.othersShare).median*100, share*100)
	}
	line("")
	if marked {
		line("¹ The bench's core was the limit: events/s says little then, CPU s still holds.\n")
	}
	line("- *others on its core*: the share of other processes on the measured core. More than a few %% lower events/s, and CPU s hardly.")
	line("- *%s*: go-lumber's client sends one window of 2048 captured events again and again, level 3, two windows at once.", rowProtocol)
	line("- *%s*: a Beat that publishes rtbeat's events through the same pipeline and output. Its figure includes making the events; the row before has that alone.", rowCeiling)
	line("- *gzip*: senders compress each body anew, so dedupe stays on.")
	line("- *%s*, *%s*, *%s*: with `%s`, because the default admits less in flight.", rowLong, rowLarge, rowCrowd, moreInFlight)
	line("- *three processors*: `add_host_metadata`, `drop_fields`, and a `drop_fields` with a condition on `rxtxMsg.payload.tariff` that is never true.\n")
}

func (r *results) latency(line func(string, ...any)) {
	line("## Latency\n")
	line("Batches of 20 at fixed rates, from the intended start to the answer. 100 %% is the rate of 16 waiting senders above. *Sent late* is p50 and p99 from the intended to the actual start: the bench's own delay, and the wait for one of 64 senders.\n")
	line("| rate | requests/s | requests | p50 | p90 | p99 | p99.9 | sent late |\n|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, s := range r.steps {
		at := func(p float64) string { return milliseconds(percentile(s.latencies, p)) }
		line("| %.0f %% | %.0f | %d | %s | %s | %s | %s | %s, %s |", s.share*100, s.rate, s.requests, at(50), at(90), at(99), at(99.9), milliseconds(percentile(s.lateness, 50)), milliseconds(percentile(s.lateness, 99)))
	}
	line("\nOne message at a time, %d requests with nothing else to do, and raw lumberjack round trips of one event from rtbeat's core to the same sink, interleaved:\n", len(r.singles.posts))
	line("| | p50 | p99 |\n|---|--:|--:|")
	for _, of := range []struct {
		name string
		took []time.Duration
	}{{"POST /in", r.singles.posts}, {"raw round trip", r.singles.raw}} {
		line("| %s | %s | %s |", of.name, milliseconds(percentile(of.took, 50)), milliseconds(percentile(of.took, 99)))
	}
	line("")
}

func (r *results) idle(line func(string, ...any)) {
	line("## Start, rest, memory\n")
	line("| | |\n|---|--:|")
	starts := make([]float64, len(r.rest.starts))
	for i, s := range r.rest.starts {
		starts[i] = s.Seconds()
	}
	start := figureOf(starts)
	line("| start to the first 200, on one core | %.2f s (%.2f – %.2f) |", start.median, start.min, start.max)
	line("| CPU at rest | %.3f %% |", r.rest.cpu*100)
	line("| resident at rest | %.0f MB |", megabytes(r.rest.resident))
	line("| resident at most with the default limits, 8 senders of 5000 included | %.0f MB |", megabytes(r.peak))
	if r.crowd.skipped != "" {
		line("| 10,000 idle connections | skipped: %s |\n", r.crowd.skipped)
		return
	}
	line("| 10,000 idle connections | %.0f MB |", megabytes(r.crowd.memory))
	with, without := r.crowd.with, r.crowd.without
	line("| 500 × 16 with them, and without | %.0f, %.0f events/s |", over(with, sample.rate).median, over(without, sample.rate).median)
	line("| CPU s a million events with them, and without | %.2f, %.2f |\n", over(with, sample.cpuPerMillion).median, over(without, sample.cpuPerMillion).median)
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1000) }
