//go:build linux && systemd

// Package systemd installs the package in a freshly booted system, and checks the service, its requests and its files there. It
// has a real systemd and a real dpkg, in a temporary container of systemd-nspawn with its own network.
package systemd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/txn2/rtbeat/test/harness"
)

const (
	// packageEnv and olderEnv name the package under test, and one of a lower version for upgrades.
	packageEnv, olderEnv = "RTBEAT_DEB", "RTBEAT_DEB_OLDER"
	// rootfsFile is the output of scripts/systemd.sh.
	rootfsFile = "build/systemd/rootfs.tar"
)

// rootfs is the unpacked system, once for the run. A machine's writes are in an overlay in memory.
var rootfs string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	defer func() { _ = os.RemoveAll(rootfs) }()
	code := m.Run()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines left behind:", err)
		return max(code, 1)
	}
	return code
}

// bootable skips a test if no system can be booted.
func bootable(t testing.TB) {
	t.Helper()
	if why := unbootable(); why != "" {
		harness.Missing(t, "cannot boot a system: "+why)
	}
	if rootfs != "" {
		return
	}
	var err error
	rootfs, err = os.MkdirTemp("", "rtbeat-rootfs-") //nolint:usetesting // it outlives the test that needs it first
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "tar", "-C", rootfs, "--numeric-owner", "-xf", fromRoot(t, rootfsFile)).CombinedOutput()
	require.NoError(t, err, "unpacking %s: %s", rootfsFile, out)
}

// unbootable names the missing requirement, or "".
func unbootable() string {
	if os.Getuid() != 0 {
		return "only root can boot a system in a container"
	}
	for _, program := range []string{"systemd-nspawn", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			return "no " + program + " here: scripts/provide.sh installs it"
		}
	}
	if _, err := os.Stat(filepath.Join(harness.RepoRoot, rootfsFile)); err != nil {
		return "no " + rootfsFile + " here: scripts/systemd.sh makes it"
	}
	return ""
}

// debs are the package under test and the older one.
func debs(t testing.TB) (current, older string) {
	t.Helper()
	current, older = os.Getenv(packageEnv), os.Getenv(olderEnv)
	require.NotEmpty(t, current, "%s names no package; make systemd sets it", packageEnv)
	require.NotEmpty(t, older, "%s names no package; make systemd sets it", olderEnv)
	return fromRoot(t, current), fromRoot(t, older)
}

// fromRoot is the absolute path of a file, given relative to the root of the repository.
func fromRoot(t testing.TB, path string) string {
	t.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(harness.RepoRoot, path)
	}
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	require.FileExists(t, path)
	return path
}
