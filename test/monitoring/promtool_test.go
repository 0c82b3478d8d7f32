//go:build monitoring

package monitoring

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// promtool runs promtool to its end and requires success. It returns both outputs.
func promtool(t testing.TB, stdin []byte, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), harness.FindProgram(t, "promtool"), args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "promtool %v:\n%s", args, out)
	return string(out)
}

func TestPromtoolAcceptsTheRules(t *testing.T) {
	promtool(t, nil, "check", "rules", "--lint-fatal", deploy(t, "prometheus/rules.yml"))
}

func TestPromtoolAcceptsTheExampleConfiguration(t *testing.T) {
	// Debian's promtool is built without the discovery of kubernetes.yml. test/cluster runs that file.
	out := promtool(t, nil, "check", "config", "--lint-fatal", deploy(t, "prometheus/scrape.yml"))
	require.Contains(t, out, "1 rule files found", "the example must load the rules")
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	files, err := filepath.Glob(deploy(t, "prometheus/tests/*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	t.Log(promtool(t, nil, append([]string{"test", "rules"}, files...)...))
}

// lint returns promtool's findings for a scrape. promtool does not take counters with old names for counters, so they pass.
func lint(t testing.TB, body []byte) {
	t.Helper()
	require.Contains(t, string(body), "rtbeat_answers_total")
	require.Empty(t, promtool(t, body, "check", "metrics"), "promtool has findings")
}
