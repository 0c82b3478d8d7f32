//go:build monitoring || drill

// Package monitoring tests rules and dashboard: a real Prometheus scrapes the real binary while it is healthy, disturbed and
// stopped, and every query must show that.
package monitoring

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Run(m)) }

// deploy is the path of a file under deploy.
func deploy(t testing.TB, path string) string {
	t.Helper()
	whole, err := filepath.Abs(filepath.Join(harness.RepoRoot, "deploy", path))
	require.NoError(t, err)
	return whole
}
