//go:build rolling

package rolling

import (
	"time"

	"github.com/stretchr/testify/require"
)

// window is a restart of an instance, from the signal until HAProxy sends it requests again.
type window struct {
	of       string
	from, to time.Time
}

// requireAffinity requires that a sender stays with its instance while that instance is up: a restart moves only the senders of
// the restarted instance. A sender's instance is the one before the first restart.
func (w *world) requireAffinity() {
	w.t.Helper()
	sent := make(map[string]time.Time)
	for _, a := range w.ledger.Attempts() {
		for _, id := range a.IDs {
			if sent[id].IsZero() {
				sent[id] = a.Start
			}
		}
	}
	home := make(map[string]string)
	checked := 0
	for _, e := range w.sink.Events() {
		a := decode(w.t, e)
		at := sent[a.Message.UUID]
		if at.Before(w.restarts[0].from) {
			home[a.ClientIP] = a.Agent.Name
			continue
		}
		for _, r := range w.restarts {
			if r.of != home[a.ClientIP] && at.After(r.from) && at.Before(r.to) {
				require.Equal(w.t, home[a.ClientIP], a.Agent.Name, "the instances with messages of %s while %s was restarted", a.ClientIP, r.of)
				checked++
			}
		}
	}
	require.Len(w.t, home, len(w.senders), "senders with an instance: %v", home)
	require.Positive(w.t, checked)
	w.t.Logf("%d messages reached the instance of their sender while another one was restarted", checked)
}
