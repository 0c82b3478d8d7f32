//go:build rolling

package rolling

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// One instance is killed under load, and starts again. Nothing is lost. Its requests in flight fail, as documented. After HAProxy
// has noticed, no request fails.
func TestKill(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"as documented": "",
		// HAProxy waits for a second after a refused connection, and tries the same instance again.
		"without redispatch": "no option redispatch",
		// HAProxy sends a request without an answer again.
		"with retry-on": redispatch + "\n    retry-on conn-failure empty-response",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := variant{repeats: name == "with retry-on"}
			if change != "" {
				v.haproxy = []string{redispatch, change}
			}
			w := build(t, v)
			w.post(senders)
			first := w.beats[0]
			first.beat.Kill()
			first.beat.Forget()
			w.awaitDown(first)
			w.everybodyIsAnswered() // also the requests that began before
			known := w.failures()
			w.start(first)
			w.awaitUp(first)
			w.logHAProxy()
			w.finish()
			require.Equal(t, known, w.failures(), "failed attempts, when HAProxy had noticed and at the end")
		})
	}
}

// redispatch is the line of HAProxy's configuration.
const redispatch = "option redispatch 1"

// Without shutdown_delay the port closes before HAProxy notices, and HAProxy connects to a closed port, or to one that is being
// closed. This is the reason for the delay, and shows that the other tests would find it missing.
func TestWithoutShutdownDelay(t *testing.T) {
	t.Parallel()
	w := build(t, variant{delay: "0s"})
	w.post(senders)
	restarts, redispatched := 0, "0"
	for ; redispatched == "0" && w.failures() == 0 && restarts < instances*rounds; restarts++ {
		w.restart(w.beats[restarts%instances])
		redispatched = w.proxy.Row("rtbeat", "BACKEND")["wredis"]
	}
	f := w.finish()
	t.Logf("%d restarts without shutdown_delay, %s requests sent to another instance", restarts, redispatched)
	require.True(t, redispatched != "0" || f.retried.sum > 0, "HAProxy never met a closed port without the delay")
}

// nginx has no health checks, and notices a stop by a closed port. It costs attempts, and nothing else.
func TestNginx(t *testing.T) {
	t.Parallel()
	w := build(t, variant{nginx: true, delay: "0s"})
	w.post(senders)
	for _, i := range w.beats {
		w.restart(i)
	}
	w.finish()
}
