package main

import (
	"bufio"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFigures(t *testing.T) {
	require.Equal(t, figure{}, figureOf(nil))
	require.Equal(t, figure{median: 3, min: 3, max: 3}, figureOf([]float64{3}))
	require.Equal(t, figure{median: 2.5, min: 1, max: 9}, figureOf([]float64{9, 1, 2, 3}))
	require.Equal(t, figure{median: 3, min: 1, max: 9}, figureOf([]float64{9, 1, 3}))

	require.Zero(t, percentile(nil, 50))
	var took []time.Duration
	for i := 1000; i > 0; i-- {
		took = append(took, time.Duration(i))
	}
	for p, want := range map[float64]time.Duration{0: 1, 50: 500, 90: 900, 99: 990, 99.9: 999, 100: 1000} {
		require.Equal(t, want, percentile(took, p), p)
	}
	require.Equal(t, time.Duration(7), percentile([]time.Duration{7}, 99.9))
}

func TestSample(t *testing.T) {
	before := reading{at: time.Unix(10, 0), received: 100, cpu: time.Second, bench: time.Second, core: 7 * time.Second}
	after := reading{at: time.Unix(12, 0), received: 200_100, cpu: 3 * time.Second, bench: 2 * time.Second, core: 9500 * time.Millisecond}
	s := before.until(after)
	require.InDelta(t, 10, s.cpuPerMillion(), 1e-9)
	require.InDelta(t, 100_000, s.rate(), 1e-9)
	require.InDelta(t, 0.5, s.benchShare(), 1e-9)
	require.InDelta(t, 0.25, s.othersShare(), 1e-9)
}

func sleepInBubble(_ context.Context, until time.Time) { time.Sleep(time.Until(until)) }

// Of ten requests, one a second, the third takes five seconds, and the one sender is held up. Those after it would have been
// quick, had they been sent in time.
func TestOpenLoopCountsTheWaitForAHeldUpSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		send := func() error {
			n++
			time.Sleep(10 * time.Millisecond)
			if n == 3 {
				time.Sleep(5*time.Second - 10*time.Millisecond)
			}
			return nil
		}
		start := time.Now()
		found, err := schedule{rate: 1, requests: 10}.run(t.Context(), sleepInBubble, []func() error{send})
		require.NoError(t, err)
		ms := func(values ...int) (want []time.Duration) {
			for _, v := range values {
				want = append(want, time.Duration(v)*time.Millisecond)
			}
			return want
		}
		require.Equal(t, ms(10, 10, 5000, 4010, 3020, 2030, 1040, 50, 10, 10), found.latencies)
		require.Equal(t, ms(0, 0, 0, 4000, 3010, 2020, 1030, 40, 0, 0), found.lateness)
		require.Equal(t, 9010*time.Millisecond, time.Since(start))
	})
}

func TestOpenLoopWithASenderFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		send := func() error {
			time.Sleep(300 * time.Millisecond)
			return nil
		}
		found, err := schedule{rate: 10, requests: 20}.run(t.Context(), sleepInBubble, []func() error{send, send, send, send})
		require.NoError(t, err)
		require.Len(t, found.latencies, 20)
		for _, took := range found.latencies {
			require.Equal(t, 300*time.Millisecond, took)
		}
	})
}

func TestOpenLoopEndsWithTheFirstFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		start := time.Now()
		_, err := schedule{rate: 1, requests: 1000}.run(t.Context(), sleepInBubble, []func() error{func() error { return refused }})
		require.ErrorIs(t, err, refused)
		require.LessOrEqual(t, time.Since(start), time.Second)
	})
}

func TestSleepUntilEnds(t *testing.T) {
	start := time.Now()
	sleepUntil(t.Context(), start.Add(2*time.Millisecond))
	require.GreaterOrEqual(t, time.Since(start), 2*time.Millisecond)
	ended, end := context.WithCancel(t.Context())
	end()
	sleepUntil(ended, time.Now().Add(time.Hour))
}

func TestAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n{}\r\n"
	in := bufio.NewReader(strings.NewReader(ok + ok))
	require.NoError(t, readOK(in))
	require.NoError(t, readOK(in), "the first was read to its end")
	require.ErrorIs(t, readOK(in), io.EOF)

	for answer, want := range map[string]string{
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nstall": `answered "HTTP/1.1 503 Service Unavailable": stall`,
		"HTTP/1.1 200 OK\r\n\r\n":                      "no length",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n": "EOF",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n": "invalid syntax",
	} {
		require.ErrorContains(t, readOK(bufio.NewReader(strings.NewReader(answer))), want)
	}
}

func TestProc(t *testing.T) {
	stat := "17 (a) b (c) S 1 17 17 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 8 0 100 1000 10\n"
	took, err := parseStat(stat)
	require.NoError(t, err)
	require.Equal(t, 3*time.Second, took)
	_, err = parseStat("17 (a) S 1")
	require.Error(t, err)

	busy, err := parseCore("cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 3 1000 1000 4 5 6 0 0\ncpu1 9 9 9 9 9 9 9 9 0 0\n", "0")
	require.NoError(t, err)
	require.Equal(t, 210*time.Millisecond, busy)
	_, err = parseCore("cpu  9 9 9 9 9 9 9 9 0 0\n", "0")
	require.Error(t, err)

	for list, want := range map[string][]int{"0-1": {0, 1}, "3": {3}, "2,5": {2, 5}, "0,4-7": {0, 4}, "": nil} {
		require.Equal(t, want, parseCores(list), list)
	}
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skipf("the processor time of a process is read from /proc, which is not here: %v", err)
	}
	_, err = cpuTime(os.Getpid())
	require.NoError(t, err)
	_, err = fineCPUTime(os.Getpid())
	require.NoError(t, err)
	now, most, err := resident(os.Getpid())
	require.NoError(t, err)
	require.Positive(t, now)
	require.GreaterOrEqual(t, most, now)
	files, err := fileLimit()
	require.NoError(t, err)
	require.Positive(t, files)
}

// found is a run in which everything took as long as targets allow, but for batches of 5000.
func found() *results {
	of := func(name string, cpu time.Duration) *row {
		return &row{name: name, limit: name == rowCeiling, samples: []sample{{events: 1_000_000, wall: 10 * time.Second, cpu: cpu, bench: time.Second}}}
	}
	half := []sample{{events: 1, wall: time.Second}}
	return &results{
		rows: []*row{
			of(rowCeiling, 10*time.Second), of(rowBaseline, 13*time.Second), of(rowTwenty, 15*time.Second), of(rowSingle, 100*time.Second),
			of(rowLong, 20*time.Second), of(rowCrowd, 13*time.Second), of("a < b & c", time.Second),
		},
		steps:    []*step{{share: 0.1, schedule: schedule{rate: 100, requests: 1}, timings: timings{latencies: []time.Duration{time.Millisecond}}}},
		singles:  singles{posts: []time.Duration{3}, raw: []time.Duration{1}},
		rest:     rest{starts: []time.Duration{time.Second / 4}, resident: 60e6},
		crowd:    crowd{with: half, without: half},
		fullLoad: 150e6,
		peak:     150e6,
	}
}

func TestTargets(t *testing.T) {
	run := found()
	var failed []string
	for _, target := range run.targets() {
		if !target.met() {
			failed = append(failed, target.what)
		}
	}
	require.Equal(t, []string{"CPU an event, batches of 5000 beside 500"}, failed)
	require.True(t, run.missed())

	run.row(rowLong).samples = run.row(rowBaseline).samples
	require.False(t, run.missed())
	run.crowd = crowd{skipped: "too few files"}
	require.False(t, run.missed(), "what was not measured is not judged")
	run.rest.resident = 71e6
	require.True(t, run.missed())
}

func TestReport(t *testing.T) {
	run := found()
	text := run.markdown(options{rounds: 1, duration: time.Second}, machine{})
	require.Contains(t, text, "| rtbeat, 500 × 16 senders | 13.00 | 13.00 – 13.00 | 76923 | 100000 | 0 % | 10 % |")
	require.Contains(t, text, "| CPU an event, 500 × 16, beside libbeat's ceiling | 1.30 × | ≤ 1.30 × | pass |")
	require.Contains(t, text, "| CPU an event, batches of 5000 beside 500 | 1.54 × | ≤ 1.05 × | **fail** |")
	require.NotContains(t, text, "%!")
	require.NotContains(t, text, "¹")
	run.rows[0].samples[0].bench = 10 * time.Second
	run.crowd = crowd{skipped: "too few files"}
	text = run.markdown(options{}, machine{})
	require.Contains(t, text, "100000 ¹ |")
	require.Contains(t, text, "| – | ≤ 150 MB | skipped: too few files |")
	require.NotContains(t, run.markdown(options{rows: regexp.MustCompile("batches")}, machine{}), "## Targets")
	for line := range strings.Lines(text) {
		require.True(t, !strings.HasPrefix(line, "|") || strings.HasSuffix(line, "|\n"), line)
	}
}

func TestReportIsWrittenWhereAskedFor(t *testing.T) {
	folder := t.TempDir() + "/new"
	require.ErrorIs(t, publishReport(io.Discard, options{out: folder, strict: true}, machine{}, found()), errMissed)
	for _, name := range []string{"/README.md", "/bench.svg"} {
		content, err := os.ReadFile(folder + name)
		require.NoError(t, err)
		require.NotEmpty(t, content)
	}
}

func TestPlotIsXML(t *testing.T) {
	for name, rows := range map[string][]*row{"none": nil, "unmeasured": {{name: "x"}}, "a run": found().rows} {
		t.Run(name, func(t *testing.T) {
			svg := plot(rows)
			require.NotContains(t, svg, "NaN")
			require.NotContains(t, svg, "%!")
			decoder := xml.NewDecoder(strings.NewReader(svg))
			for {
				_, err := decoder.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err)
			}
		})
	}
	require.Contains(t, plot(found().rows), "a &lt; b &amp; c")
}

func TestPlotCutsOnlyWhatIsFarBeyondTheCeiling(t *testing.T) {
	rows := found().rows
	require.InDelta(t, 30, axisEnd(rows), 1e-9)
	require.Equal(t, 1, strings.Count(plot(rows), `<path class="cut"`))
	require.InDelta(t, 13, axisEnd(rows[:2]), 1e-9)
	for _, end := range []float64{0.3, 1, 13, 30, 99, 101, 12345} {
		found := marks(end)
		require.GreaterOrEqual(t, len(found), 3, end)
		require.LessOrEqual(t, len(found), 11, end)
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-quick", "-strict"})
	require.NoError(t, err)
	require.True(t, o.strict)
	require.Equal(t, 2, o.rounds)
	require.GreaterOrEqual(t, o.posts, 500)
	o, err = parseOptions([]string{"-quick", "-rounds", "3"})
	require.NoError(t, err)
	require.Equal(t, 3, o.rounds)
	_, err = parseOptions([]string{"-rounds", "0"})
	require.Error(t, err)
	_, err = parseOptions([]string{"-rows", "^batches", "-out", "x"})
	require.Error(t, err, "a part of the table is no report")
}
