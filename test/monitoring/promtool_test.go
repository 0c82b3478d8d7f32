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

// promtool runs it to its end, which must be a good one. It says what it found on either of its outputs.
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
	out := promtool(t, nil, "check", "config", "--lint-fatal", deploy(t, "prometheus/scrape.yml"))
	require.Contains(t, out, "1 rule files found", "the example is to load the rules")
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	files, err := filepath.Glob(deploy(t, "prometheus/tests/*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	t.Log(promtool(t, nil, append([]string{"test", "rules"}, files...)...))
}

// lint is what promtool makes of a scrape. The old names of counters are no counters to it, so that they pass.
func lint(t testing.TB, body []byte) {
	t.Helper()
	require.Contains(t, string(body), "rtbeat_answers_total")
	require.Empty(t, promtool(t, body, "check", "metrics"), "promtool has something to say of the metrics")
}
