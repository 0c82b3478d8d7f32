// Package mixin checks the rules for Prometheus, the dashboard for Grafana and the runbooks against each other and the metrics.
package mixin

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// root is the folder of the module.
const root = "../../"

const runbooks = "https://github.com/txn2/rtbeat/blob/main/docs/runbooks.md"

// exposed has the metric names of a scrape, with Prometheus's own.
func exposed(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{
		"up": true, "ALERTS": true,
		// From client_golang's collector, which is registered too.
		"process_start_time_seconds": true, "process_resident_memory_bytes": true, "process_cpu_seconds_total": true,
	}
	page, err := os.ReadFile(root + "docs/metrics.md") // generated from the declarations
	require.NoError(t, err)
	for _, row := range regexp.MustCompile("(?m)^\\| `(rtbeat_[a-z_]+)` \\| (\\w+) \\|").FindAllStringSubmatch(string(page), -1) {
		names[row[1]] = true
		if row[2] == "histogram" {
			names[row[1]+"_bucket"], names[row[1]+"_sum"], names[row[1]+"_count"] = true, true, true
		}
	}
	return names
}

// selector is one metric name with its labels in an expression.
type selector struct {
	name   string
	labels map[string]string
}

// selectors parses an expression. The parser accepts more than Prometheus does. promtool checks the rest in test/monitoring.
func selectors(t *testing.T, expr string) []selector {
	t.Helper()
	expr = strings.NewReplacer("$__rate_interval", "1m", "$job", "J", "$instance", "I").Replace(expr)
	parsed, err := metricsql.Parse(expr)
	require.NoError(t, err, expr)
	var found []selector
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		m, ok := e.(*metricsql.MetricExpr)
		if !ok {
			return
		}
		for _, filters := range m.LabelFilterss {
			s := selector{labels: make(map[string]string)}
			for _, f := range filters {
				switch {
				case f.Label == "__name__":
					s.name = f.Value
				case f.IsRegexp:
					s.labels[f.Label] = "~" + f.Value
				default:
					s.labels[f.Label] = f.Value
				}
			}
			found = append(found, s)
		}
	})
	require.NotEmpty(t, found, "%s selects nothing", expr)
	return found
}

// rule is a recording rule if it has Record, else an alert.
type rule struct {
	Record, Alert, Expr, For string
	Labels                   map[string]string
	Annotations              struct {
		Summary, Description string
		Runbook              string `yaml:"runbook_url"`
	}
}

func rulesOf(t *testing.T) (records, alerting []rule) {
	t.Helper()
	text, err := os.ReadFile(root + "deploy/prometheus/rules.yml")
	require.NoError(t, err)
	var file struct {
		Groups []struct{ Rules []rule }
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert != "" {
				alerting = append(alerting, r)
			} else {
				records = append(records, r)
			}
		}
	}
	require.NotEmpty(t, records)
	require.NotEmpty(t, alerting)
	return records, alerting
}

func TestRulesSelectTheJobAndKnownNames(t *testing.T) {
	known := exposed(t)
	records, alerting := rulesOf(t)
	for _, r := range records {
		known[r.Record] = true
	}
	for _, r := range append(records, alerting...) {
		for _, s := range selectors(t, r.Expr) {
			require.Equal(t, "rtbeat", s.labels["job"], "%s%s selects %s of other jobs", r.Record, r.Alert, s.name)
			require.True(t, known[s.name], "%s%s: no metric %s", r.Record, r.Alert, s.name)
		}
	}
}

func TestRecordingRulesAreNamedAsUsual(t *testing.T) {
	records, _ := rulesOf(t)
	for _, r := range records {
		require.Regexp(t, `^(instance|instance_code|job|job_namespace):rtbeat_[a-z0-9_]+:[a-z0-9_]+$`, r.Record)
	}
}

func TestAlertsAreNamedAndExplained(t *testing.T) {
	_, alerting := rulesOf(t)
	for _, r := range alerting {
		require.Regexp(t, `^Rtbeat([A-Z]+[a-z0-9]+)+$`, r.Alert)
		require.Contains(t, []string{"critical", "warning", "info"}, r.Labels["severity"], r.Alert)
		require.Len(t, r.Labels, 1, "%s: a rule with labels is another alert", r.Alert)
		require.Regexp(t, `^([5-9]|1[0-5])m$`, r.For, r.Alert)

		require.Regexp(t, `^[A-Zr][^{]+\.$`, r.Annotations.Summary, "%s: a static sentence", r.Alert)
		require.Contains(t, r.Annotations.Description, "{{ ", r.Alert)
		require.Equal(t, runbooks+"#"+strings.ToLower(r.Alert), r.Annotations.Runbook)
	}
}

// TestAlertsOutliveAFailedScrape finds a name without a range: a failed scrape removes its sample.
func TestAlertsOutliveAFailedScrape(t *testing.T) {
	_, alerting := rulesOf(t)
	ranges := regexp.MustCompile(`_over_time\([^\[]*\[\d+[md]\]|(rate|increase|changes)\([^\[]*\[\d+m\]|instance:[a-z0-9_:]+_rate5m`)
	for _, r := range alerting {
		if r.Alert == "RtbeatDown" || r.Alert == "RtbeatAbsent" { // these alerts are about a failed scrape
			continue
		}
		left := ranges.ReplaceAllString(r.Expr, "")
		require.NotRegexp(t, `(rtbeat|instance:rtbeat|process)_`, left, "%s reads a single sample", r.Alert)
	}
}

func TestEachAlertHasItsSectionAndEachSectionItsAlert(t *testing.T) {
	text, err := os.ReadFile(root + "docs/runbooks.md")
	require.NoError(t, err)
	sections := make(map[string]string)
	for _, part := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		require.NotContains(t, sections, title, "twice")
		sections[title] = body
	}
	require.Contains(t, sections, "The drill")
	_, alerting := rulesOf(t)
	named := make(map[string]bool)
	for _, r := range alerting {
		named[r.Alert] = true
		require.Contains(t, sections, r.Alert, "an alert without a section")
	}
	for title, body := range sections {
		if !strings.HasPrefix(title, "Rtbeat") {
			continue
		}
		require.True(t, named[title], "no alert %s", title)
		for _, part := range []string{"**Means.**", "**Whose fault.**", "**Look at.**", "**Do.**", "**Do not.**"} {
			require.Contains(t, body, part, title)
		}
	}
}

// TestRunbooksQueryKnownMetrics checks the metric names in the runbooks' queries.
func TestRunbooksQueryKnownMetrics(t *testing.T) {
	text, err := os.ReadFile(root + "docs/runbooks.md")
	require.NoError(t, err)
	known := exposed(t)
	records, _ := rulesOf(t)
	for _, r := range records {
		known[r.Record] = true
	}
	blocks := regexp.MustCompile("(?s)```promql\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		for query := range strings.Lines(block[1]) {
			for _, s := range selectors(t, query) {
				require.True(t, known[s.name], "no metric %s", s.name)
			}
		}
	}
	for _, name := range regexp.MustCompile(`\brtbeat_[a-z0-9_]+`).FindAllString(string(text), -1) {
		require.True(t, known[name] || recorded(known, name), "no metric %s", name)
	}
}

// recorded says whether a name is the middle of a recording rule's name.
func recorded(known map[string]bool, name string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(known)), func(k string) bool { return strings.Contains(k, ":"+name+":") })
}

// unitTests are the files for promtool, with the parts that are read here.
func unitTests(t *testing.T) (fires, quiet map[string]int, recorded string) {
	t.Helper()
	files, err := filepath.Glob(root + "deploy/prometheus/tests/*.yml")
	require.NoError(t, err)
	fires, quiet = make(map[string]int), make(map[string]int)
	for _, path := range files {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var file struct {
			Tests []struct {
				Alerts []struct {
					Name     string `yaml:"alertname"`
					Expected []struct {
						Labels map[string]string `yaml:"exp_labels"`
					} `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
				Exprs []struct{ Expr string } `yaml:"promql_expr_test"`
			}
		}
		require.NoError(t, yaml.Unmarshal(text, &file), path)
		for _, test := range file.Tests {
			for _, a := range test.Alerts {
				if len(a.Expected) == 0 {
					quiet[a.Name]++
				}
				for _, e := range a.Expected {
					fires[a.Name+" "+e.Labels["severity"]]++
				}
			}
			for _, e := range test.Exprs {
				recorded += e.Expr + "\n"
			}
		}
	}
	return fires, quiet, recorded
}

func TestEachRuleHasItsUnitTest(t *testing.T) {
	fires, quiet, tested := unitTests(t)
	records, alerting := rulesOf(t)
	for _, r := range alerting {
		require.Positive(t, fires[r.Alert+" "+r.Labels["severity"]], "no test in which %s fires as %s", r.Alert, r.Labels["severity"])
		require.GreaterOrEqual(t, quiet[r.Alert], 2, "%s must not fire before and after", r.Alert)
	}
	for _, r := range records {
		require.Contains(t, tested, r.Record+"\n")
	}
}

func readDashboard(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile(root + "deploy/grafana/rtbeat.json")
	require.NoError(t, err)
	var dashboard map[string]any
	require.NoError(t, json.Unmarshal(text, &dashboard))
	return dashboard
}
