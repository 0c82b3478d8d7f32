package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// IsRequired says whether a test must not skip. The Makefile sets the variable when it has installed a suite's programs.
func IsRequired() bool { return os.Getenv("RTBEAT_REQUIRE") != "" }

// Missing skips a test, or fails it if it must not skip.
func Missing(t testing.TB, why string) {
	t.Helper()
	if IsRequired() {
		require.FailNow(t, why)
	}
	t.Skip(why)
}

// Long skips a test of many seconds in a -short run.
func Long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes many seconds, and runs without -short: make e2e")
	}
}

// FindProgram returns the path of the first program that is installed. Debian keeps daemons in folders outside of most PATHs.
// Scripts build programs in build.
func FindProgram(t testing.TB, names ...string) string {
	t.Helper()
	build, err := filepath.Abs(filepath.Join(RepoRoot, "build"))
	require.NoError(t, err)
	for _, name := range names {
		for _, path := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name, filepath.Join(build, name)} {
			if found, err := exec.LookPath(path); err == nil {
				return found
			}
		}
	}
	Missing(t, "no "+names[0]+" here: scripts/provide.sh installs the programs of scripts/programs.txt")
	return ""
}
