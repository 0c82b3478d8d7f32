//go:build packages

package packages

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// TestLintian has no findings for the deb, except for the overrides with reasons in deploy/packages/lintian-overrides.
func TestLintian(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), harness.FindProgram(t, "lintian"), "--allow-root", "--display-info", "--fail-on", "error,warning", pkg(t, "deb"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "mismatched-override", "an unused override")
}

func TestEachOverrideHasItsReason(t *testing.T) {
	overrides := read(t, root+"/deploy/packages/lintian-overrides")
	for paragraph := range strings.SplitSeq(strings.TrimSpace(overrides), "\n\n") {
		require.True(t, strings.HasPrefix(paragraph, "# "), "no reason above:\n%s", paragraph)
		require.Contains(t, paragraph, "\nrtbeat: ", "a reason without an override")
	}
}

// TestRPMVerifies installs the rpm into an empty root, and rpm verifies it. The user is left out: this machine may lack it.
func TestRPMVerifies(t *testing.T) {
	asRoot(t)
	tree := t.TempDir()
	said(t, "rpm", "-U", "--root", tree, "--nodeps", "--noscripts", pkg(t, "rpm"))
	require.Empty(t, said(t, "rpm", "-V", "--root", tree, "--nodeps", "--nouser", "--nogroup", "rtbeat"))
	require.FileExists(t, filepath.Join(tree, binary))
}
