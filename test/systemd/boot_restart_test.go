//go:build linux && systemd

package systemd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

const (
	// restarts is the number of restarts during traffic.
	restarts = 20
	// senders post all the time, half of them on kept connections.
	senders = 8
	// between is the number of batches delivered between two restarts.
	between = 100
)

// TestSocketActivation starts the service by the first connection.
func TestSocketActivation(t *testing.T) {
	m := boot(t)
	m.install("current.deb")
	sink := m.sink(lumbersink.Immediate())
	m.run("systemctl", "enable", "--now", socket)
	require.Equal(t, "inactive", m.show(service, "ActiveState"), "before the first connection")

	ledger := harness.NewLedger(t)
	m.deliver(ledger, "first")
	require.Equal(t, "active", m.show(service, "ActiveState"))
	require.Equal(t, "running", m.show(socket, "SubState"))
	ledger.CheckOnce(t, sink)
	ledger.RequireDocumentIDs(t, sink.Events())
}

// TestRestarts restarts the service during traffic without a pause. The senders see only 200.
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
	require.Equal(t, "0", m.show(service, "NRestarts"), "restarts by systemd")
}
