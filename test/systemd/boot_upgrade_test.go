//go:build linux && systemd

package systemd

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// TestUpgrade upgrades a running service while senders post: it runs the new file afterwards, with the operator's
// configuration, and the senders saw 200 and 503 alone. What does not run is left so.
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
	require.Equal(t, "/usr/share/rtbeat/bin/rtbeat", m.run("readlink", "/proc/"+pid+"/exe"), "it runs a file that is gone")
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

// TestUpgradeWithABadConfig upgrades while rtbeat.yml has a mistake that the running process never read: the service does not
// come back until it is mended, and the package is installed all the same. What dpkg calls half-configured would hold up
// every other package of the machine.
func TestUpgradeWithABadConfig(t *testing.T) {
	const config = "/etc/rtbeat/rtbeat.yml"
	m := boot(t)
	m.install("older.deb")
	m.sink(lumbersink.Immediate())
	m.run("systemctl", "enable", "--now", service)
	good := m.run("cat", config) + "\n"
	m.write(config, strings.Replace(good, "  timeout: 5\n", "  timeout: soon\n", 1))
	m.install("current.deb")
	require.Equal(t, "install ok installed", m.run("dpkg-query", "--showformat=${Status}", "--show", "rtbeat"))
	m.write(config, good)
	m.await("ActiveState", "active")
	m.deliver(harness.NewLedger(t), "mended")

	m.run("systemctl", "disable", "--now", service)
	m.run("systemctl", "mask", service)
	m.run("dpkg", "--remove", "rtbeat")
}
