//go:build systemd

package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/test/harness"
)

const (
	units = "../../deploy/systemd"
	// exposure is the highest permitted score of systemd-analyze security, times ten.
	exposure = "20"
)

// analyze runs systemd-analyze.
func analyze(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), harness.FindProgram(t, "systemd-analyze"), args...)
}

// unit reads a unit and applies a change.
func unit(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(units, name))
	require.NoError(t, err)
	return string(text)
}

// root is a file system with the installed units and their programs. A change breaks a unit on purpose.
func root(t *testing.T, change func(name, text string) string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"usr/share/rtbeat/bin/rtbeat": "#!/bin/sh\n", "bin/sh": "#!/bin/sh\n",
		"usr/lib/systemd/system/sysinit.target": "[Unit]\n", "usr/lib/systemd/system/shutdown.target": "[Unit]\n",
		"usr/lib/systemd/system/rtbeat.service": change("rtbeat.service", unit(t, "rtbeat.service")),
		"usr/lib/systemd/system/rtbeat.socket":  change("rtbeat.socket", unit(t, "rtbeat.socket")),
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		mode := os.FileMode(0o644)
		if strings.Contains(name, "bin/") {
			mode = 0o755
		}
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
	}
	return dir
}

// verify has the complaints of systemd-analyze verify. Its exit code is not enough: an unknown key is only logged.
func verify(t *testing.T, change func(name, text string) string) (complaints string) {
	t.Helper()
	out, err := analyze(t, "verify", "--root="+root(t, change), "--man=no", "--recursive-errors=no", "rtbeat.service", "rtbeat.socket").CombinedOutput()
	if err != nil {
		require.NotEmpty(t, out, "%s", err)
	}
	return string(out)
}

func as(_, text string) string { return text }

func TestSystemdAcceptsTheUnits(t *testing.T) {
	require.Empty(t, verify(t, as))
	for what, change := range map[string][2]string{
		"Unknown key": {"NotifyAccess=", "NotifyAcces="},
		"No such":     {"/usr/share/rtbeat/bin/rtbeat ", "/usr/bin/elsewhere "},
		"Failed to":   {"ListenStream=8081", "ListenStream=808100"},
	} {
		require.Contains(t, verify(t, func(_, text string) string { return strings.Replace(text, change[0], change[1], 1) }), what, "%s", change)
	}
}

func TestTheServiceIsHardened(t *testing.T) {
	security := func(text string) error {
		path := filepath.Join(t.TempDir(), "rtbeat.service")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		cmd := analyze(t, "security", "--offline=true", "--no-pager", "--threshold="+exposure, path)
		out, err := cmd.Output()
		t.Log(strings.TrimSpace(string(out[max(0, strings.LastIndex(string(out), "Overall")):])))
		return err
	}
	text := unit(t, "rtbeat.service")
	require.NoError(t, security(text))
	weaker := regexp.MustCompile(`(?m)^(CapabilityBoundingSet|SystemCallFilter|ProtectSystem|PrivateUsers|RestrictNamespaces)=.*$`).ReplaceAllString(text, "")
	require.Error(t, security(weaker), "the limit is one")
}

// The unit's times are above rtbeat's defaults, and its folders are those of its flags.
func TestTheServiceFitsTheDefaults(t *testing.T) {
	text := unit(t, "rtbeat.service")
	value := func(key string) string {
		found := regexp.MustCompile(`(?m)^` + key + `=(.*)$`).FindStringSubmatch(text)
		require.NotNil(t, found, key)
		return found[1]
	}
	stop, err := time.ParseDuration(value("TimeoutStopSec") + "s")
	require.NoError(t, err)
	require.GreaterOrEqual(t, stop, config.Default().ShutdownTimeout+10*time.Second)
	require.Equal(t, "notify", value("Type"))
	require.Equal(t, "main", value("NotifyAccess"))
	require.Contains(t, text, "--path.data /var/lib/"+value("StateDirectory")+" ")
	require.Contains(t, text, "--path.logs /var/log/"+value("LogsDirectory")+`"`)
	require.Contains(t, unit(t, "rtbeat.socket"), "ListenStream=8081\nFileDescriptorName=in\n")
	require.Equal(t, 8081, config.Default().Port)
}
