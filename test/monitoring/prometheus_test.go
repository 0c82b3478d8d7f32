//go:build monitoring || drill

package monitoring

import (
	"strconv"
	"strings"
	"testing"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// prometheus is a real Prometheus that scrapes each second.
type prometheus struct{ *harness.Prometheus }

// scrape is one way to reach a target.
type scrape struct{ name, addr string }

// startPrometheus runs Prometheus until the test ends. All scrapes have the job that the rules select.
func startPrometheus(t testing.TB, scrapes []scrape, ruleFiles []string, flags ...string) *prometheus {
	t.Helper()
	var configs []map[string]any
	for _, s := range scrapes {
		configs = append(configs, map[string]any{
			"job_name":        s.name,
			"static_configs":  []any{map[string]any{"targets": []string{s.addr}}},
			"relabel_configs": []any{map[string]any{"target_label": "job", "replacement": "rtbeat"}, map[string]any{"target_label": "instance", "replacement": s.name}},
		})
	}
	return &prometheus{harness.StartPrometheus(t, harness.FindProgram(t, "prometheus"), configs, ruleFiles, flags...)}
}

// alerts has the pending and firing alerts: name, variant and instance, with their state.
func (p *prometheus) alerts() map[string]v1.AlertState { return p.Alerts("variant", "instance") }

// freePort is a port for the admin listener, where 0 means no listener.
func freePort(t testing.TB) int {
	t.Helper()
	_, text, _ := strings.Cut(harness.DeadAddress(t), ":")
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	return port
}
