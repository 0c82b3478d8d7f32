//go:build linux && systemd

package systemd

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// dpkgStatus is dpkg's status of the package, normally "install ok installed".
func (m *machine) dpkgStatus() string {
	return m.try("dpkg-query", "--showformat=${Status}", "--show", "rtbeat").out
}

// TestMasked upgrades and removes a service that the operator has masked. It stays masked.
func TestMasked(t *testing.T) {
	m := boot(t)
	m.install("older.deb")
	m.run("systemctl", "mask", socket, service)
	m.install("current.deb")
	require.Equal(t, "install ok installed", m.dpkgStatus())
	m.run("dpkg", "--purge", "rtbeat")
	require.Equal(t, "masked", m.try("systemctl", "is-enabled", service).out)
}

// TestPurgeOfAMount purges the package with data and logs on mounted disks: these are emptied, and stay mounted.
func TestPurgeOfAMount(t *testing.T) {
	m := boot(t)
	m.install("current.deb")
	for _, folder := range []string{"/var/lib/rtbeat", "/var/log/rtbeat"} {
		m.run("mount", "-t", "tmpfs", "tmpfs", folder)
		m.run("touch", folder+"/kept")
	}
	m.run("dpkg", "--purge", "rtbeat")
	require.NotContains(t, m.dpkgStatus(), "ok", "dpkg still has the package")
	for _, folder := range []string{"/var/lib/rtbeat", "/var/log/rtbeat"} {
		require.Empty(t, m.run("ls", "-A", folder), folder)
	}
}
