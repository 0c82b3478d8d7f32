//go:build monitoring || drill

package monitoring

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// startWithin bounds Prometheus's start on a loaded machine.
const startWithin = 30 * time.Second

// prometheus is a real Prometheus that scrapes each second.
type prometheus struct {
	t   testing.TB
	api v1.API
}

// scrape is one way to reach a target.
type scrape struct{ name, addr string }

// startPrometheus runs Prometheus until the test ends. All scrapes have the job that the rules select.
func startPrometheus(t testing.TB, scrapes []scrape, ruleFiles []string, flags ...string) *prometheus {
	t.Helper()
	path, home := harness.FindProgram(t, "prometheus"), t.TempDir()
	var configs []map[string]any
	for _, s := range scrapes {
		configs = append(configs, map[string]any{
			"job_name":        s.name,
			"static_configs":  []any{map[string]any{"targets": []string{s.addr}}},
			"relabel_configs": []any{map[string]any{"target_label": "job", "replacement": "rtbeat"}, map[string]any{"target_label": "instance", "replacement": s.name}},
		})
	}
	text, err := json.MarshalIndent(map[string]any{ // JSON is YAML
		"global":         map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
		"rule_files":     ruleFiles,
		"scrape_configs": configs,
	}, "", "  ")
	require.NoError(t, err)
	config := filepath.Join(home, "prometheus.yml")
	require.NoError(t, os.WriteFile(config, text, 0o600))

	addr := harness.DeadAddress(t)
	var log bytes.Buffer // written by one goroutine of os/exec, read when it is done
	cmd := exec.CommandContext(t.Context(), path, append(flags, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(home, "data"),
		"--web.listen-address="+addr, "--log.level=warn")...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = home, &log, &log, 5*time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Prometheus's output:\n%s", &log)
		}
	})

	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := api.NewClient(api.Config{Address: "http://" + addr, RoundTripper: transport})
	require.NoError(t, err)
	p := &prometheus{t: t, api: v1.NewAPI(client)}
	harness.Await(t, startWithin, "Prometheus is ready", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/-/ready", http.NoBody)
		require.NoError(t, err)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return p
}

func (p *prometheus) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.t.Context(), 10*time.Second)
}

// series has the values of each series of a query, by its labels.
func (p *prometheus) series(expr string, from, to time.Time) map[string][]float64 {
	p.t.Helper()
	ctx, cancel := p.context()
	defer cancel()
	value, warnings, err := p.api.QueryRange(ctx, expr, v1.Range{Start: from, End: to, Step: time.Second})
	require.NoError(p.t, err, expr)
	require.Empty(p.t, warnings, expr)
	matrix, ok := value.(model.Matrix)
	require.True(p.t, ok, "%s is %s", expr, value.Type())
	found := make(map[string][]float64)
	for _, s := range matrix {
		for _, v := range s.Values {
			found[s.Metric.String()] = append(found[s.Metric.String()], float64(v.Value))
		}
	}
	return found
}

// alerts has the pending and firing alerts: name, variant and instance, with their state.
func (p *prometheus) alerts() map[string]v1.AlertState {
	p.t.Helper()
	ctx, cancel := p.context()
	defer cancel()
	result, err := p.api.Alerts(ctx)
	require.NoError(p.t, err)
	found := make(map[string]v1.AlertState)
	for _, a := range result.Alerts {
		key := fmt.Sprintf("%s %s %s", a.Labels["alertname"], a.Labels["variant"], a.Labels["instance"])
		if found[key] != v1.AlertStateFiring {
			found[key] = a.State
		}
	}
	return found
}

// healthy fails the test for a rule that could not be evaluated.
func (p *prometheus) healthy() {
	p.t.Helper()
	ctx, cancel := p.context()
	defer cancel()
	result, err := p.api.Rules(ctx)
	require.NoError(p.t, err)
	n := 0
	for _, g := range result.Groups {
		for _, r := range g.Rules {
			n++
			switch r := r.(type) {
			case v1.AlertingRule:
				require.EqualValues(p.t, v1.RuleHealthGood, r.Health, "%s: %s", r.Name, r.LastError)
			case v1.RecordingRule:
				require.EqualValues(p.t, v1.RuleHealthGood, r.Health, "%s: %s", r.Name, r.LastError)
			}
		}
	}
	require.Positive(p.t, n)
}

// freePort is a port for the admin listener, where 0 means no listener.
func freePort(t testing.TB) int {
	t.Helper()
	_, text, _ := strings.Cut(harness.DeadAddress(t), ":")
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	return port
}
