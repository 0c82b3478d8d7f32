//go:build rolling

package rolling

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

const (
	// rounds is the number of restarts of each instance.
	rounds = 10
	// senders are enough for each instance to have a few.
	senders = 12
)

// Each instance is restarted in turn, ten times. Nothing is lost, nothing fails, and HAProxy never sees a closed port.
func TestRollout(t *testing.T) {
	t.Parallel()
	w := build(t, variant{})
	w.post(senders)
	for range rounds {
		for _, i := range w.beats {
			require.True(t, w.restart(i), "%s ended before HAProxy had taken it out", i.name)
		}
	}
	for _, i := range w.beats {
		row := w.proxy.Row("rtbeat", i.name)
		t.Logf("%s: HAProxy saw it go down %s times and sent it %s requests", i.name, row["chkdown"], row["stot"])
	}
	backend := w.logHAProxy()
	f := w.finish()
	require.Len(t, w.restarts, instances*rounds)
	require.Zero(t, f.failed.sum, "requests that failed after one retry")
	require.Zero(t, f.retried.sum, "first attempts that failed")
	for _, column := range []string{"econ", "eresp", "wretr", "wredis"} {
		require.Equal(t, "0", backend[column], "HAProxy's %s", column)
	}
	require.Positive(t, f.joined, "no retry was deduped, so the copies prove nothing")
	w.requireAffinity()
}

// byConnections makes HAProxy balance connections, as a Kubernetes Service does: senders keep their connections to an instance.
var byConnections = []string{
	"mode http", "mode tcp", "balance source", "balance roundrobin", "    hash-type consistent\n", "", "    timeout http-request 30s\n", "",
	"    option forwardfor\n", "", "    http-request del-header Forwarded\n", "",
}

// Senders with kept connections are told to connect again while the instance still serves: no attempt fails.
func TestRolloutOfKeptConnections(t *testing.T) {
	t.Parallel()
	w := build(t, variant{haproxy: byConnections})
	w.post(senders)
	for range rounds {
		for _, i := range w.beats {
			require.True(t, w.restart(i), "%s ended before HAProxy had taken it out", i.name)
		}
	}
	w.logHAProxy()
	f := w.finish()
	require.Zero(t, f.failed.sum, "requests that failed after one retry")
	require.Zero(t, f.retried.sum, "first attempts that failed")
}

// keptAt counts the senders with kept connections that an instance has had messages of since a time.
func (w *world) keptAt(i *instance, since time.Time) int {
	w.t.Helper()
	kept := make(map[string]bool)
	for n, s := range w.senders {
		kept[s.ip] = n%2 == 0
	}
	seen := make(map[string]bool)
	for _, e := range w.sink.Events() {
		if a := decode(w.t, e); e.Received.After(since) && a.Agent.Name == i.name {
			if ip, _, _ := strings.Cut(a.Message.UUID, "-"); kept[ip] {
				seen[ip] = true
			}
		}
	}
	return len(seen)
}

// An instance that is new to a balancer of connections gets kept connections too, when connections have an age. Without an age it
// gets none.
func TestKeptConnectionsSpread(t *testing.T) {
	t.Parallel()
	const age = time.Second
	for name, v := range map[string]variant{"as documented": {age: age.String()}, "without": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v.haproxy, v.patient = byConnections, true
			w := build(t, v)
			w.post(2 * senders)
			w.restart(w.beats[0])
			back := time.Now()
			if v.age == "" {
				harness.Pause(t.Context(), 3*age)
				require.Zero(t, w.keptAt(w.beats[0], back))
			} else {
				harness.Await(t, harness.ArriveWithin, "kept connections at the new instance", func() bool {
					return w.keptAt(w.beats[0], back) >= senders/instances
				})
			}
			f := w.finish()
			require.Zero(t, f.failed.sum, "requests that failed after one retry")
			require.Zero(t, f.retried.sum, "first attempts that failed")
			require.Zero(t, f.copies)
		})
	}
}
