//go:build monitoring || drill

package monitoring

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// rules are the groups of a rule file, with the parts that are read or changed here.
type rules struct {
	Groups []struct {
		Name  string
		Rules []map[string]any
	}
}

func shippedRules(t testing.TB) rules {
	t.Helper()
	text, err := os.ReadFile(deploy(t, "prometheus/rules.yml"))
	require.NoError(t, err)
	var r rules
	require.NoError(t, yaml.Unmarshal(text, &r))
	return r
}

// records are the recording rules, name and expression.
func (r rules) records() map[string]string {
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
)

// fastRules copies the alerts with short waits and ranges and their own label, so that a story sees them fire and end. The
// expressions are otherwise the same.
func fastRules(t testing.TB) string {
	t.Helper()
	var alerts []map[string]any
	for _, g := range shippedRules(t).Groups {
		for _, rule := range g.Rules {
			if rule["alert"] == nil {
				continue
			}
			expr := gaugeRange.ReplaceAllString(fmt.Sprint(rule["expr"]), "$1[3s]")
			rule["expr"] = counterRange.ReplaceAllString(expr, "$1[10s]")
			rule["for"] = "2s"
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

// query is one target of a panel, as Grafana sends it.
type query struct {
	key     string // row / panel / refId
	expr    string
	instant bool
}

// panels has all queries of the dashboard with values for Grafana's variables: all jobs, all instances, and a range of five
// scrapes.
func panels(t testing.TB) []query {
	t.Helper()
	text, err := os.ReadFile(deploy(t, "grafana/rtbeat.json"))
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Type, Title string
			Targets     []struct {
				RefID, Expr string
				Instant     bool
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	fill := strings.NewReplacer("$job", ".+", "$instance", ".+", "$__rate_interval", "5s")
	row := ""
	var found []query
	for _, p := range dashboard.Panels {
		if p.Type == "row" {
			row = p.Title
		}
		for _, target := range p.Targets {
			expr := fill.Replace(target.Expr)
			require.NotContains(t, expr, "$", "a variable without a value")
			found = append(found, query{row + " / " + p.Title + " / " + target.RefID, expr, target.Instant})
		}
	}
	require.NotEmpty(t, found)
	return found
}
