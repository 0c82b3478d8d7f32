//go:build monitoring || drill

// Package monitoring holds rules and dashboard against what they are for: a real Prometheus scrapes the real binary while it
// is well, ill and gone, and every query has to show it.
package monitoring

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// requireEnv turns a missing program from a skipped test into a failed one.
const requireEnv = "RTBEAT_REQUIRE_MONITORING"

func TestMain(m *testing.M) { os.Exit(harness.Run(m)) }

// find is where a program of Debian's package prometheus is.
func find(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv(requireEnv) != "" {
		require.FailNow(t, "no "+name+" here", "it comes with Debian's package prometheus; scripts/monitoring.sh installs it")
	}
	t.Skipf("no %s here: it comes with Debian's package prometheus; scripts/monitoring.sh installs it", name)
	return ""
}

// deploy is a file under deploy.
func deploy(t testing.TB, path string) string {
	t.Helper()
	whole, err := filepath.Abs(filepath.Join(harness.RepoRoot, "deploy", path))
	require.NoError(t, err)
	return whole
}
