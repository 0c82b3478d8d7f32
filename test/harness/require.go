package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// IsRequired tells whether a test must not skip. The Makefile sets the variable for a suite whose programs are all here.
func IsRequired() bool { return os.Getenv("RTBEAT_REQUIRE") != "" }

// Missing skips a test, or fails it where it must not skip.
func Missing(t testing.TB, why string) {
	t.Helper()
	if IsRequired() {
		require.FailNow(t, why)
	}
	t.Skip(why)
}

// Long skips a test of many seconds where only the short ones are wanted.
func Long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes many seconds, and runs without -short: make e2e")
	}
}

// FindProgram returns the path of the first of these programs that is here. Debian keeps daemons in folders that are not in
// every PATH. What scripts build is in build.
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
	Missing(t, "no "+names[0]+" here: scripts/provide.sh installs what scripts/programs.txt names")
	return ""
}
