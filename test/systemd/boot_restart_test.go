//go:build linux && systemd

package systemd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

const (
	// restarts is how often the service is restarted while everybody posts.
	restarts = 20
	// senders post all the time, half of them on connections that they keep.
	senders = 8
	// between is how many batches are delivered between two restarts.
	between = 100
)

// TestSocketActivation lets the first connection start the service.
func TestSocketActivation(t *testing.T) {
	m := boot(t)
	m.install("current.deb")
	sink := m.sink(lumbersink.Immediate())
	m.run("systemctl", "enable", "--now", socket)
	require.Equal(t, "inactive", m.show(service, "ActiveState"), "before anybody has connected")

	ledger := harness.NewLedger(t)
	m.deliver(ledger, "first")
	require.Equal(t, "active", m.show(service, "ActiveState"))
	require.Equal(t, "running", m.show(socket, "SubState"))
	ledger.CheckOnce(t, sink)
	ledger.RequireDocumentIDs(t, sink.Events())
}

// TestRestarts restarts the service under senders that never pause. They see 200 and 503, and nothing else.
func TestRestarts(t *testing.T) {
	m := boot(t)
	m.install("current.deb")
	sink := m.sink(lumbersink.Immediate())
	m.run("systemctl", "enable", "--now", socket, service)
	tr := m.post(senders)
	tr.flows(between)
	for range restarts {
		before := m.show(service, "MainPID")
		m.run("systemctl", "restart", service)
		require.NotEqual(t, before, m.show(service, "MainPID"))
		tr.flows(between)
	}
	copies := tr.stop(sink)
	t.Logf("%d restarts: %s; %d copies at the sink, each with its id", restarts, tr, copies)
	require.Equal(t, "0", m.show(service, "NRestarts"), "it was restarted by systemd, too")
}
