//go:build monitoring || drill

// Package monitoring holds rules and dashboard against what they are for: a real Prometheus scrapes the real binary while it
// is well, ill and gone, and every query has to show it.
package monitoring

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Run(m)) }

// deploy is a file under deploy.
func deploy(t testing.TB, path string) string {
	t.Helper()
	whole, err := filepath.Abs(filepath.Join(harness.RepoRoot, "deploy", path))
	require.NoError(t, err)
	return whole
}
