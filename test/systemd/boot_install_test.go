//go:build linux && systemd

package systemd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// TestInstall checks the installed package: all files, the user, and no running service.
func TestInstall(t *testing.T) {
	m := boot(t)
	m.install("current.deb")

	for path, want := range map[string]string{
		"/usr/bin/rtbeat":                        "755 root:root",
		"/usr/share/rtbeat/bin/rtbeat":           "755 root:root",
		"/etc/rtbeat":                            "750 root:rtbeat",
		"/etc/rtbeat/rtbeat.yml":                 "600 rtbeat:rtbeat",
		"/etc/rtbeat/rtbeat.reference.yml":       "644 root:root",
		"/var/lib/rtbeat":                        "750 rtbeat:rtbeat",
		"/var/log/rtbeat":                        "750 rtbeat:rtbeat",
		"/usr/lib/systemd/system/rtbeat.service": "644 root:root",
		"/usr/lib/systemd/system/rtbeat.socket":  "644 root:root",
		"/usr/share/man/man1/rtbeat.1.gz":        "644 root:root",
		"/usr/share/doc/rtbeat/copyright":        "644 root:root",
	} {
		require.Equal(t, want, m.run("stat", "--format=%a %U:%G", path), path)
	}
	m.run("gzip", "--test", "/usr/share/man/man1/rtbeat.1.gz")
	require.Equal(t, "/etc/rtbeat/rtbeat.yml", m.run("sh", "-c", "dpkg-query --showformat='${Conffiles}\n' --show rtbeat | grep -o '/etc/rtbeat/rtbeat.yml'"))
	require.Contains(t, m.run("getent", "passwd", "rtbeat"), "nologin")
	require.Empty(t, m.try("dpkg", "--verify", "rtbeat").out, "changed files")

	for _, unit := range []string{service, socket} {
		require.Equal(t, "inactive", m.try("systemctl", "is-active", unit).out, unit)
		require.Equal(t, "disabled", m.try("systemctl", "is-enabled", unit).out, unit)
	}
	require.Contains(t, m.run("rtbeat", "test", "config"), "Config OK")
	require.Contains(t, m.run("rtbeat", "version"), "rtbeat")
	require.Empty(t, m.run("find", "/var/lib/rtbeat", "/var/log/rtbeat", "-not", "-user", "rtbeat"), "the service cannot use the command's files")
}

// TestRemove removes the package, which keeps its data, and purges it, which deletes them. The user stays.
func TestRemove(t *testing.T) {
	const config, data, logs = "/etc/rtbeat/rtbeat.yml", "/var/lib/rtbeat/meta.json", "/var/log/rtbeat/kept"
	m := boot(t)
	sink := m.sink(lumbersink.Immediate())
	ledger := harness.NewLedger(t)
	exists := func(path string) bool { return m.try("test", "-e", path).code == 0 }
	begin := func(name string) {
		m.install("current.deb")
		m.run("systemctl", "enable", "--now", socket, service)
		m.deliver(ledger, name)
		m.run("touch", logs)
		require.True(t, exists(data), "no data")
	}
	gone := func() {
		require.Equal(t, "not-found", m.show(service, "LoadState"))
		require.Equal(t, "inactive", m.show(service, "ActiveState"))
		require.Equal(t, "inactive", m.show(socket, "ActiveState"))
		require.Empty(t, m.run("find", "/etc/systemd/system", "-name", "rtbeat*"), "still enabled")
		require.Equal(t, 1, m.try("sh", "-c", "cat /proc/[0-9]*/comm 2>/dev/null | grep -x rtbeat").code, "still running")
		m.run("getent", "passwd", "rtbeat")
	}

	begin("installed")
	m.run("sed", "--in-place", "s/^logging.level: info/logging.level: debug/", config)
	m.run("dpkg", "--remove", "rtbeat")
	gone()
	for _, path := range []string{config, data, logs} {
		require.True(t, exists(path), "%s is missing after a removal", path)
	}

	begin("again")
	require.Contains(t, m.run("cat", config), "logging.level: debug")
	m.run("dpkg", "--purge", "rtbeat")
	gone()
	for _, path := range []string{"/etc/rtbeat", "/var/lib/rtbeat", "/var/log/rtbeat", "/etc/default/rtbeat", "/usr/share/rtbeat", "/usr/bin/rtbeat"} {
		require.False(t, exists(path), "%s remains after a purge", path)
	}
	require.NotContains(t, m.try("dpkg", "--list", "rtbeat").out, "rc  rtbeat")

	begin("new")
	require.Contains(t, m.run("cat", config), "logging.level: info")
	m.run("systemctl", "stop", socket, service)
	ledger.CheckOnce(t, sink)
}
