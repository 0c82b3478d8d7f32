//go:build linux && systemd

package systemd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// dpkgStatus is what dpkg says of the package: "install ok installed", when all went well.
func (m *machine) dpkgStatus() string {
	return m.try("dpkg-query", "--showformat=${Status}", "--show", "rtbeat").out
}

// TestUpgradeWithABadConfig upgrades a service whose configuration was broken since its start. The package is installed for
// all that, so that the next upgrade of the machine is not held up, and the service comes up once the file is right.
func TestUpgradeWithABadConfig(t *testing.T) {
	const config = "/etc/rtbeat/rtbeat.yml"
	m := boot(t)
	sink := m.sink(lumbersink.Immediate())
	m.install("older.deb")
	m.run("systemctl", "enable", "--now", socket, service)
	m.run("sed", "--in-place", "s/^  timeout: 5$/  timeout: soon/", config)
	require.Contains(t, m.install("current.deb"), "Job for rtbeat.service failed")
	require.Equal(t, "install ok installed", m.dpkgStatus())

	m.run("sed", "--in-place", "s/^  timeout: soon$/  timeout: 5/", config)
	ledger := harness.NewLedger(t)
	m.deliver(ledger, "mended")
	ledger.CheckOnce(t, sink)
}

// TestMasked upgrades and removes a service that the operator has masked, and leaves it so.
func TestMasked(t *testing.T) {
	m := boot(t)
	m.install("older.deb")
	m.run("systemctl", "mask", socket, service)
	m.install("current.deb")
	require.Equal(t, "install ok installed", m.dpkgStatus())
	m.run("dpkg", "--purge", "rtbeat")
	require.Equal(t, "masked", m.try("systemctl", "is-enabled", service).out)
}

// TestPurgeOfAMount purges the package where data and logs have disks of their own: these are emptied, and stay.
func TestPurgeOfAMount(t *testing.T) {
	m := boot(t)
	m.install("current.deb")
	for _, folder := range []string{"/var/lib/rtbeat", "/var/log/rtbeat"} {
		m.run("mount", "-t", "tmpfs", "tmpfs", folder)
		m.run("touch", folder+"/kept")
	}
	m.run("dpkg", "--purge", "rtbeat")
	require.NotContains(t, m.dpkgStatus(), "ok", "dpkg still has it")
	for _, folder := range []string{"/var/lib/rtbeat", "/var/log/rtbeat"} {
		require.Empty(t, m.run("ls", "-A", folder), folder)
	}
}
