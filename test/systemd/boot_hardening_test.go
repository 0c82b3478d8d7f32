//go:build linux && systemd

package systemd

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// TestHardening checks the process's rights in the kernel, not the unit.
func TestHardening(t *testing.T) {
	m := boot(t)
	m.install("current.deb")
	m.sink(lumbersink.Immediate())
	m.run("systemctl", "start", service)
	pid := m.show(service, "MainPID")

	uid := m.run("id", "--user", "rtbeat")
	require.NotEqual(t, "0", uid)
	status := m.run("cat", "/proc/"+pid+"/status")
	field := func(name string) string {
		for line := range strings.Lines(status) {
			if value, ok := strings.CutPrefix(line, name+":"); ok {
				return strings.Join(strings.Fields(value), " ")
			}
		}
		return "no " + name
	}
	require.Equal(t, strings.Join([]string{uid, uid, uid, uid}, " "), field("Uid"))
	require.Equal(t, "2", field("Seccomp"))
	require.Equal(t, "1", field("NoNewPrivs"))
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		require.Equal(t, "0000000000000000", field(set), set)
	}

	// In the process's namespaces, as its user.
	as := func(command string) result {
		return m.try("nsenter", "--target", pid, "--mount", "--setuid", uid, "--setgid", m.run("id", "--group", "rtbeat"), "--", "sh", "-c", command)
	}
	// The same as root, for whom file modes do not matter.
	asRoot := func(command string) result {
		return m.try("nsenter", "--target", pid, "--mount", "--", "sh", "-c", command)
	}
	for _, folder := range []string{"/usr", "/etc", "/etc/rtbeat", "/boot", "/opt"} {
		require.Contains(t, asRoot("touch "+folder+"/x").out, "Read-only file system", folder)
	}
	for _, folder := range []string{"/var/lib/rtbeat", "/var/log/rtbeat", "/tmp"} {
		require.Zero(t, as("touch "+folder+"/x").code, folder)
	}
	require.NotZero(t, m.try("test", "-e", "/tmp/x").code, "its /tmp is private")
	require.Empty(t, asRoot("find /home /root -mindepth 1").out, "a home directory")
	require.NotContains(t, as("ls /dev").out, "kmsg")
}
