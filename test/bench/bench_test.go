// Package bench measures rtbeat on this machine, beside two limits: the lumberjack protocol alone, and libbeat without an
// intake. "make bench" runs it.
//
// Each measured process is pinned to one core. The bench, with the senders and the sink, is pinned to another. Compare figures
// of one run only with each other.
package bench

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

var (
	ceiling  = flag.String("ceiling", "", "the `program` of test/bench/ceiling; without it nothing is measured")
	core     = flag.Int64("core", 0, "the `core` of the measured processes")
	rounds   = flag.Int("rounds", 5, "how often each row is measured, all rows interleaved")
	duration = flag.Duration("duration", 5*time.Second, "how long one measurement is")
	only     = flag.String("rows", "", "measure only the rows whose name matches this `pattern`, and nothing else")
	out      = flag.String("out", "", "`folder` for README.md; without it the report is only printed")
	commit   = flag.String("commit", "unknown", "the commit to name in the report")
	quick    bool
)

func TestMain(m *testing.M) {
	if child := os.Getenv(childEnv); child != "" {
		if err := runChild(child, os.Args[1], os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	flag.BoolFunc("quick", "a short run, to see whether it works; later flags override it", func(string) error {
		quick, *rounds, *duration = true, 2, 2*time.Second
		return nil
	})
	os.Exit(m.Run())
}

// bench is one run.
type bench struct {
	t      testing.TB
	sink   *lumbersink.Sink
	window string // a file with one window of events, as rtbeat sends them
	bodies bodies
	beats  map[*harness.Settings]*harness.Beat // the running ones

	posts, starts int
	rest          time.Duration

	fullLoad float64 // resident memory, at most, by the end of the first baseline
}

// results has all figures of a run.
type results struct {
	rows     []*row
	steps    []*step
	singles  singles
	rest     rest
	idle     idle
	fullLoad float64
	peak     float64 // resident memory with the default limits, at most
}

func TestBench(t *testing.T) {
	if *ceiling == "" {
		t.Skip("measures for ten minutes: make bench")
	}
	require.Equal(t, 1, runtime.NumCPU(), "the bench must be pinned to one core: taskset -c 1")
	require.FileExists(t, os.Getenv("RTBEAT_BINARY"), "RTBEAT_BINARY names rtbeat by its absolute path")
	require.FileExists(t, *ceiling)
	b := &bench{
		t: t, bodies: bodies{}, beats: map[*harness.Settings]*harness.Beat{},
		posts: 1000, starts: 5, rest: 10 * time.Second,
	}
	if quick {
		b.posts, b.starts = 500, 3
	}
	machine := describe()
	b.sink = b.listen(lumbersink.WithKeep(0))
	b.window = b.capture()
	found := &results{rows: b.rows(regexp.MustCompile(*only))}
	for round := range *rounds { // interleaved: other load of the machine meets all rows alike
		for _, r := range found.rows {
			s := r.measure()
			r.samples = append(r.samples, s)
			say("round %d of %d: %-45s %7.2f CPU s a million events, %7.0f events/s", round+1, *rounds, r.name, s.cpuPerMillion(), s.rate())
		}
	}
	if *only == "" {
		b.others(found)
	}
	text := found.markdown(machine)
	fmt.Print(text)
	if *out != "" {
		require.NoError(t, os.WriteFile(*out+"/README.md", []byte(text), 0o644))
	}
}

// others measures all figures that are not rows.
func (b *bench) others(found *results) {
	found.fullLoad = b.fullLoad
	say("open loop, single requests")
	found.steps = b.openLoops(found.row(rowTwenty).rate().median)
	found.singles = b.singleRequests()
	say("idle connections")
	found.idle = b.idleConnections()
	b.measure(defaults, filling)
	_, found.peak = resident(b.t, b.beats[defaults].Pid())
	say("start and rest")
	found.rest = b.starting()
}

func (b *bench) listen(option lumbersink.Option) *lumbersink.Sink {
	sink, err := lumbersink.Listen("127.0.0.1:0", option)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { require.NoError(b.t, sink.Close()) })
	return sink
}

// start runs rtbeat on the measured core. Its timeout is long, so that a busy machine makes a slow answer, not a 504.
func (b *bench) start(s *harness.Settings, sink *lumbersink.Sink) *harness.Beat {
	settings := *s
	settings.Sink, settings.Under, settings.Rtbeat = sink.Addr(), pinned(), map[string]any{"timeout": "30s"}
	maps.Copy(settings.Rtbeat, s.Rtbeat)
	return harness.StartBeat(b.t, settings)
}

// beat returns the running rtbeat with these settings. It starts and warms up a new one if there is none.
func (b *bench) beat(s *harness.Settings) *harness.Beat {
	if b.beats[s] == nil {
		b.beats[s] = b.start(s, b.sink)
		b.run(b.beats[s], baseline, warmUp)
	}
	return b.beats[s]
}

// arrived requires that exactly these events have reached the sink. In durable mode they arrive after the answer.
func (b *bench) arrived(before, events int) {
	harness.Arrived(b.t, b.sink, before+events)
	require.Equal(b.t, before+events, b.sink.Received(), "acknowledged events, and events at the sink")
	require.NoError(b.t, b.sink.Err())
}

// pinned is the command that runs a program on the measured core.
func pinned() []string { return []string{"taskset", "-c", strconv.FormatInt(*core, 10)} }

// say reports progress on standard error. Standard output has the report alone.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}
