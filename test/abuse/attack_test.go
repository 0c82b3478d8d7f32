//go:build abuse

package abuse

import (
	"bytes"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

const (
	warmUp    = time.Second
	usualTime = 3 * time.Second
	// attackTime is long enough for backlogs to grow, and for every connection to be displaced several times.
	attackTime = 7 * time.Second
	// recovery bounds the time until the attackers' connections, goroutines and bytes in flight are gone.
	recovery = 15 * time.Second
	// slower is the factor by which answers may become slower. slack is the scheduler's delay for the median on a shared core.
	// timeslices is the same for p90: two times the slice that Go gives a goroutine or a garbage collection (forcePreemptNS in
	// runtime/proc.go). p99 is only reported: one collection, or a build next to it, changes it as much as an attack.
	slower     = 2
	slack      = 2 * time.Millisecond
	timeslices = 20 * time.Millisecond
	// queueTime is about the time to empty libbeat's queue with its default of 3,200 events.
	queueTime = 60 * time.Millisecond
)

// attack is one kind of attack.
type attack struct {
	name     string
	how      string // for the table: the action and its rate
	tls      bool
	settings map[string]any // of rtbeat, over the defaults
	// A mode of this package's attacker, or a tool.
	attacker string
	tool     func(r *running, seconds int) []string
	// refused are answers that good senders may get, for example while the sink is stalled.
	refused []string
	policy  lumbersink.Policy
	// valid batches are delivered, as many as a core can process. libbeat's queue is full, and a new batch waits for its events.
	valid bool
}

// running is rtbeat under attack.
type running struct {
	*harness.Beat
	cgroup cgroup
	url    string
	sink   *lumbersink.Sink
}

func start(t *testing.T, a attack) *running {
	t.Helper()
	group, err := newCgroup(t, memoryBound)
	if err != nil {
		t.Logf("GOMEMLIMIT instead of a cgroup: only the peak is checked: %v", err)
	}
	r := &running{cgroup: group}
	sink, err := lumbersink.Listen("127.0.0.1:0", lumbersink.WithKeep(10_000_000))
	require.NoError(t, err)
	t.Cleanup(func() { _ = sink.Close() })
	r.sink = sink
	_, port := harness.FreeAddress(t)
	settings := map[string]any{"admin": map[string]any{"host": "127.0.0.1", "port": port}}
	scheme := "http://"
	if a.tls {
		cert, key := certificate(t)
		settings["ssl"] = map[string]any{"certificate": cert, "key": key}
		scheme = "https://"
	}
	maps.Copy(settings, a.settings)
	all := harness.Settings{Rtbeat: settings, Sink: sink.Addr()}
	confine(r.cgroup, &all)
	r.Beat = harness.StartBeat(t, all)
	r.url = scheme + r.Addr + "/in"
	return r
}

func TestAbuse(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) { run(t, a) })
	}
}

func run(t *testing.T, a attack) {
	t.Helper()
	r := start(t, a)
	good := startSenders(t, r)
	time.Sleep(warmUp)
	begun := time.Now()
	time.Sleep(usualTime)
	before, calm := r.figures(), counts(r)
	attacked := time.Now()
	r.sink.SetPolicy(a.policy)
	said := strike(t, a, r)
	ended := time.Now()
	harness.RecoverSink(r.sink)
	after := r.figures()

	row := row{
		attack: a, usual: good.between(begun, attacked), during: good.between(attacked, ended), said: said,
		cpu: 100 * (after.cpu - before.cpu).Seconds() / ended.Sub(attacked).Seconds(),
	}
	row.recovered = recovers(r, before, calm)
	good.stop()
	row.peak, row.killed = r.figures().peak, r.cgroup.killed()
	report.add(row)
	t.Log(row.String())

	events := goodEvents(r.sink)
	require.Empty(t, good.ledger.Violations(events), "the answers to good senders")
	if row.killed || row.peak == 0 {
		require.Fail(t, "rtbeat is gone", "killed at the memory limit: %v\n%s", row.killed, r.Log.Tail(20))
	}
	require.Empty(t, good.ledger.Lost(events), "every good sender has its 200")
	row.judge(t)
}

// goodEvents leaves out the attackers' events before they are decoded.
func goodEvents(sink *lumbersink.Sink) (good []lumbersink.Event) {
	for _, e := range sink.Events() {
		if bytes.Contains(e.Raw, []byte(`"uuid":"good-`)) {
			good = append(good, e)
		}
	}
	return good
}

// strike runs the attacker to its end and returns its report.
func strike(t *testing.T, a attack, r *running) string {
	t.Helper()
	seconds := int(attackTime.Seconds())
	command := attackCommand(t, os.Args[0])
	if a.tool != nil {
		args := a.tool(r, seconds)
		command = attackCommand(t, args[0], args[1:]...)
	}
	command.Env = append(os.Environ(), attackerEnv+"="+a.attacker, targetEnv+"="+r.Addr, "GOGC=400")
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	require.NoError(t, command.Start())
	done := make(chan struct{})
	go func() { _ = command.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(attackTime + 15*time.Second):
		_ = command.Process.Kill()
		<-done
	}
	if a.tool != nil {
		return summary(out.String())
	}
	return strings.TrimSpace(out.String())
}

// state must be the same after an attack.
type state struct{ goroutines, inFlight float64 }

func counts(r *running) state {
	m, err := r.Get("/metrics").Samples() // on the admin listener, which is not attacked
	if err != nil {
		return state{goroutines: -1}
	}
	return state{m["go_goroutines"], m["rtbeat_in_flight_bytes"]}
}

// recovers waits until files, goroutines and bytes in flight are back at their values before the attack. It returns 0 if they
// never are.
func recovers(r *running, before figures, calm state) time.Duration {
	const some = 60 // the good senders' own connections
	begun := time.Now()
	for time.Since(begun) < recovery {
		now := counts(r)
		if now.goroutines >= 0 && now.goroutines <= calm.goroutines+some && now.inFlight <= calm.inFlight+64<<10 &&
			r.figures().files <= before.files+some {
			return max(time.Since(begun), time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return 0
}
