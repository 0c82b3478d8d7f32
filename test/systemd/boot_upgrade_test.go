//go:build linux && systemd

package systemd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// TestUpgrade upgrades a running service during traffic: then it runs the new file with the operator's configuration, and the
// senders saw only 200. A stopped service stays stopped.
func TestUpgrade(t *testing.T) {
	const config, edited = "/etc/rtbeat/rtbeat.yml", "# the operator's own line"
	m := boot(t)
	version := func() string { return m.run("dpkg-query", "--showformat=${Version}", "--show", "rtbeat") }
	m.install("older.deb")
	older := version()
	m.run("sh", "-c", "echo \""+edited+"\" >>"+config)
	mode := m.run("stat", "--format=%a %U:%G", config)

	sink := m.sink(lumbersink.Immediate())
	m.run("systemctl", "enable", "--now", socket, service)
	tr := m.post(senders)
	tr.flows(between)
	before := m.show(service, "MainPID")
	m.install("current.deb")
	require.NotEqual(t, older, version())
	tr.flows(between)
	copies := tr.stop(sink)
	t.Logf("from %s to %s: %s; %d copies at the sink, each with its id", older, version(), tr, copies)

	pid := m.show(service, "MainPID")
	require.NotEqual(t, before, pid, "it was not restarted")
	require.Equal(t, "/usr/share/rtbeat/bin/rtbeat", m.run("readlink", "/proc/"+pid+"/exe"), "it runs the removed file")
	require.Contains(t, m.run("cat", config), edited)
	require.Equal(t, mode, m.run("stat", "--format=%a %U:%G", config))
	require.Equal(t, "enabled", m.run("systemctl", "is-enabled", service))
	require.Equal(t, "active", m.show(socket, "ActiveState"))

	m.run("systemctl", "disable", "--now", socket, service)
	require.Contains(t, m.install("older.deb"), "downgrading")
	m.install("current.deb")
	for _, unit := range []string{service, socket} {
		require.Equal(t, "inactive", m.show(unit, "ActiveState"), unit)
		require.Equal(t, "disabled", m.try("systemctl", "is-enabled", unit).out, unit)
	}
}
