//go:build rolling

package rolling

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

const (
	instances = 3
	// ackAfter is the sink's delay, so that requests are in flight at every time of a restart.
	ackAfter = 30 * time.Millisecond
	// stopWithin bounds a stop, with its delay.
	stopWithin = 20 * time.Second
	// nginxForgets is longer than the documented fail_timeout.
	nginxForgets = 3 * time.Second
)

// world has three instances behind HAProxy, one sink, and the senders.
type world struct {
	t       testing.TB
	variant variant
	sink    *lumbersink.Sink
	beats   [instances]*instance
	proxy   *harness.HAProxy // nil with nginx
	url     string

	ledger   *harness.Ledger
	senders  []*sender
	stop     context.CancelFunc
	running  sync.WaitGroup
	began    time.Time
	restarts []window
}

// instance has the settings of a process, which stay the same over restarts.
type instance struct {
	name, addr, home string
	args             []string
	beat             *harness.Beat
}

// variant has the changes to the documented configuration.
type variant struct {
	// haproxy has pairs of a text in HAProxy's configuration and its replacement.
	haproxy []string
	// delay is the shutdown_delay. The default here is 700ms, a seventh of the documented one; checks are ten times as frequent.
	delay string
	// age is the max_connection_age, by default none.
	age string
	// patient senders never give up, and keep their connections.
	patient bool
	// repeats says whether HAProxy sends requests again.
	repeats bool
	// nginx replaces HAProxy.
	nginx bool
}

// build starts everything except for the senders.
func build(t testing.TB, v variant) *world {
	t.Helper()
	program := "haproxy"
	if v.nginx {
		program = "nginx"
	}
	path := harness.FindProgram(t, program)
	v.delay = cmp.Or(v.delay, "700ms")
	w := &world{t: t, variant: v, sink: harness.StartSink(t, lumbersink.Delay(ackAfter)), ledger: harness.NewLedger(t)}
	block := page.Recipe(t, "rtbeat", "shutdown_delay: 5s", "shutdown_delay: "+v.delay, "10.0.0.10", "127.0.0.1")
	front, _ := harness.FreeAddress(t)
	replace := append([]string{"bind :8080", "bind " + front, "inter 1s", "inter 100ms"}, v.haproxy...)
	if v.nginx {
		replace = []string{"listen 8080", "listen " + front}
	}
	for i := range w.beats {
		addr, port := harness.FreeAddress(t)
		home := t.TempDir()
		base := harness.Settings{Home: home, Sink: w.sink.Addr(), Output: map[string]any{"backoff.init": "100ms", "backoff.max": "300ms"}}
		name := "rtbeat-" + strconv.Itoa(i+1)
		w.beats[i] = &instance{name: name, addr: addr, home: home, args: []string{
			"-c", base.WriteConfig(t, home), "-c", harness.WriteRecipe(t, home, "block.yml", block),
			"-E", "rtbeat.port=" + port, "-E", "name=" + name,
		}}
		if v.age != "" {
			w.beats[i].args = append(w.beats[i].args, "-c", harness.WriteRecipe(t, home, "age.yml", page.Recipe(t, "age", "60s", v.age)))
		}
		replace = append(replace, fmt.Sprintf("10.0.0.1%d:8081", i+1), addr)
		w.start(w.beats[i])
	}
	w.url = "http://" + front + "/in"
	if v.nginx {
		harness.StartNginx(t, path, page.Recipe(t, "nginx", replace...), front)
		return w
	}
	w.proxy = harness.StartHAProxy(t, path, page.Recipe(t, "haproxy", replace...), front)
	for _, i := range w.beats {
		w.awaitUp(i)
	}
	return w
}

func (w *world) start(i *instance) {
	w.t.Helper()
	i.beat = harness.StartBeatArgs(w.t, i.home, i.args...)
}

// status is HAProxy's status of an instance.
func (w *world) status(i *instance) string { return w.proxy.Row("rtbeat", i.name)["status"] }

// awaitUp waits until HAProxy sends requests to an instance. HAProxy assumes that a server is up before its first check.
func (w *world) awaitUp(i *instance) {
	w.t.Helper()
	harness.Await(w.t, harness.ArriveWithin, i.name+" to be up", func() bool {
		row := w.proxy.Row("rtbeat", i.name)
		return row["status"] == "UP" && row["check_status"] == "L7OK"
	})
}

func (w *world) awaitDown(i *instance) {
	w.t.Helper()
	harness.Await(w.t, harness.ArriveWithin, i.name+" to be down", func() bool { return w.status(i) == "DOWN" })
}

// restart is one step of a rollout, as in systemd or Kubernetes: the signal, the end, the next process, and a wait until it is
// up. left says whether HAProxy had noticed before the process ended.
func (w *world) restart(i *instance) (left bool) {
	w.t.Helper()
	from := i.beat.Terminate()
	code, _ := i.beat.WaitExit(stopWithin)
	left = w.proxy != nil && w.status(i) == "DOWN"
	require.Zero(w.t, code, "%s: exit code", i.name)
	entry, ok := i.beat.Log.Find("stopped: ")
	require.True(w.t, ok, "%s has not logged its account", i.name)
	require.Zero(w.t, entry.Fields["unacknowledged_events"], "%s: %s", i.name, entry.Message)
	i.beat.Forget()
	w.start(i)
	if w.proxy != nil {
		w.awaitUp(i)
	} else {
		harness.Pause(w.t.Context(), nginxForgets) // nginx does not show whether it has tried again
	}
	w.restarts = append(w.restarts, window{i.name, from, time.Now()})
	return left
}

// post starts the senders, and returns when each has had an answer.
func (w *world) post(senders int) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.stop, w.began = cancel, time.Now()
	w.t.Cleanup(func() { cancel(); w.running.Wait() })
	for n := range senders {
		s := newSender(w.t, n)
		s.impatient = s.impatient && !w.variant.patient
		w.senders = append(w.senders, s)
		w.running.Go(func() { s.run(ctx, w.ledger, w.url) })
	}
	w.everybodyIsAnswered()
}

// everybodyIsAnswered waits until each sender has a 200 for a batch that starts after now.
func (w *world) everybodyIsAnswered() {
	w.t.Helper()
	want := make([]int64, len(w.senders))
	for n, s := range w.senders {
		want[n] = s.delivered.Load() + 2 // the first may belong to a request in flight
	}
	for n, s := range w.senders {
		harness.Await(w.t, harness.ArriveWithin, "a 200 for "+s.ip, func() bool { return s.delivered.Load() >= want[n] })
	}
}

// failures is the number of failed attempts so far.
func (w *world) failures() (sum int64) {
	for _, s := range w.senders {
		sum += s.failures.Load()
	}
	return sum
}

// logHAProxy logs HAProxy's counters, and returns them.
func (w *world) logHAProxy() map[string]string {
	w.t.Helper()
	row := w.proxy.Row("rtbeat", "BACKEND")
	w.t.Logf("HAProxy: %s failed connections, %s failed answers, %s retries, %s redispatches",
		row["econ"], row["eresp"], row["wretr"], row["wredis"])
	return row
}

// finish waits for the senders' last batches, and compares everything with the sink.
func (w *world) finish() figures {
	w.t.Helper()
	w.everybodyIsAnswered()
	took := time.Since(w.began)
	w.stop()
	w.running.Wait()
	// A batch answered 504, or not at all, may still be in flight. A stop waits for it.
	for _, i := range w.beats {
		i.beat.Terminate()
	}
	for _, i := range w.beats {
		code, _ := i.beat.WaitExit(stopWithin)
		require.Zero(w.t, code, "%s: exit code", i.name)
	}
	events := w.sink.Events()
	w.ledger.Check(w.t, w.sink)
	lost := w.ledger.Lost(events)
	require.Empty(w.t, lost, "%s", w.ledger.Report(lost, events, nil))
	f := count(w.t, w.variant.repeats, w.ledger.Attempts(), events)
	f.took = took
	for _, s := range w.senders {
		f.requests += int(s.delivered.Load())
		f.givenUp += int(s.givenUp.Load())
		f.joined += int(s.joined.Load())
		f.retried.merge(&s.retried)
		f.failed.merge(&s.failed)
	}
	if len(w.senders) > 0 {
		w.t.Log(f.String())
	}
	return f
}
