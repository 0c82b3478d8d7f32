//go:build rolling

package rolling

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// One instance is killed under load, and comes back. Nothing is lost; what was on its way there fails, as documented; and
// from the moment that HAProxy knows, nothing fails.
func TestKill(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"as documented": "",
		// A refused connection waits for a second then, and goes to the same instance again.
		"without redispatch": "no option redispatch",
		// HAProxy itself sends a request again that got no answer.
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
			w.everybodyIsAnswered() // also those who had begun before
			known := w.failures()
			w.start(first)
			w.awaitUp(first)
			w.logHAProxy()
			w.finish()
			require.Equal(t, known, w.failures(), "failed attempts, when HAProxy knew and in the end")
		})
	}
}

// redispatch is the line of HAProxy's configuration.
const redispatch = "option redispatch 1"

// Without shutdown_delay the port closes before HAProxy knows, and requests fail: this is what the delay is for, and it
// shows that the other tests would see it.
func TestWithoutShutdownDelay(t *testing.T) {
	t.Parallel()
	w := build(t, variant{delay: "0s"})
	w.post(senders)
	restarts := 0
	for ; w.failures() == 0 && restarts < instances*rounds; restarts++ {
		w.restart(w.beats[restarts%instances])
	}
	f := w.finish()
	t.Logf("%d restarts without shutdown_delay", restarts)
	require.Positive(t, f.retried.sum, "every attempt was answered 200, as if the delay were for nothing")
}

// nginx asks nobody whether he is ready, and learns of a stop from a closed port. It costs attempts, and nothing else.
func TestNginx(t *testing.T) {
	t.Parallel()
	w := build(t, variant{nginx: true, delay: "0s"})
	w.post(senders)
	for _, i := range w.beats {
		w.restart(i)
	}
	w.finish()
}
