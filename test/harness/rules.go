package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// Deploy is the absolute path of a file below deploy.
func Deploy(t testing.TB, path string) string {
	t.Helper()
	whole, err := filepath.Abs(filepath.Join(RepoRoot, "deploy", path))
	require.NoError(t, err)
	return whole
}

// Rules are the groups of a rule file, with the parts that tests read or change.
type Rules struct {
	Groups []struct {
		Name  string
		Rules []map[string]any
	}
}

// ShippedRules reads deploy/prometheus/rules.yml.
func ShippedRules(t testing.TB) Rules {
	t.Helper()
	text, err := os.ReadFile(Deploy(t, "prometheus/rules.yml"))
	require.NoError(t, err)
	var r Rules
	require.NoError(t, yaml.Unmarshal(text, &r))
	return r
}

// Records are the recording rules, name and expression.
func (r Rules) Records() map[string]string {
	found := make(map[string]string)
	for _, g := range r.Groups {
		for _, rule := range g.Rules {
			if name, ok := rule["record"].(string); ok {
				found[name] = fmt.Sprint(rule["expr"])
			}
		}
	}
	return found
}

var (
	gaugeRange = regexp.MustCompile(`((?:max|min)_over_time\([^\[]*)\[\d+m\]`)
	// Counters have ranges of 5 minutes and more. An alert on them lasts as long after its cause.
	counterRange = regexp.MustCompile(`((?:rate|increase)\([^\[]*)\[\d+m\]`)
	startsRange  = regexp.MustCompile(`(changes\([^\[]*)\[\d+m\]`)
)

// Fast has the short times of FastRules: the alerts' waits, and the ranges of gauges, of counters and of starts.
type Fast struct{ For, Gauge, Counter, Starts string }

// FastRules copies the alerts with short waits and ranges and the label variant="fast", so that a test sees them fire and end. The
// expressions are otherwise the same. It returns the file's path.
func FastRules(t testing.TB, fast Fast) string {
	t.Helper()
	var alerts []map[string]any
	for _, g := range ShippedRules(t).Groups {
		for _, rule := range g.Rules {
			if rule["alert"] == nil {
				continue
			}
			expr := gaugeRange.ReplaceAllString(fmt.Sprint(rule["expr"]), "$1["+fast.Gauge+"]")
			expr = startsRange.ReplaceAllString(expr, "$1["+fast.Starts+"]")
			rule["expr"] = counterRange.ReplaceAllString(expr, "$1["+fast.Counter+"]")
			rule["for"] = fast.For
			labels, ok := rule["labels"].(map[string]any)
			require.True(t, ok, "%v", rule["alert"])
			labels["variant"] = "fast"
			alerts = append(alerts, rule)
		}
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "fast", "rules": alerts}}})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "fast.yml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}
