package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// Prometheus is a real Prometheus that scrapes each second.
type Prometheus struct {
	t   testing.TB
	api v1.API
}

// StartPrometheus runs the program at path until the test ends.
func StartPrometheus(t testing.TB, path string, scrapes []map[string]any, ruleFiles []string, flags ...string) *Prometheus {
	t.Helper()
	home := t.TempDir()
	text, err := json.MarshalIndent(map[string]any{ // JSON is YAML
		"global":         map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
		"rule_files":     ruleFiles,
		"scrape_configs": scrapes,
	}, "", "  ")
	require.NoError(t, err)
	config := filepath.Join(home, "prometheus.yml")
	require.NoError(t, os.WriteFile(config, text, 0o600))

	addr := DeadAddress(t)
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
	p := &Prometheus{t: t, api: v1.NewAPI(client)}
	Await(t, startWithin, "Prometheus is ready", func() bool {
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

func (p *Prometheus) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.t.Context(), 10*time.Second)
}

// Series has the values of each series of a query, by its labels.
func (p *Prometheus) Series(expr string, from, to time.Time) map[string][]float64 {
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

// Alerts has the state of the pending and firing alerts, by their name and the values of these labels, with spaces between.
func (p *Prometheus) Alerts(labels ...model.LabelName) map[string]v1.AlertState {
	p.t.Helper()
	ctx, cancel := p.context()
	defer cancel()
	result, err := p.api.Alerts(ctx)
	require.NoError(p.t, err)
	found := make(map[string]v1.AlertState)
	for _, a := range result.Alerts {
		parts := []string{string(a.Labels["alertname"])}
		for _, label := range labels {
			parts = append(parts, string(a.Labels[label]))
		}
		key := strings.Join(parts, " ")
		if found[key] != v1.AlertStateFiring {
			found[key] = a.State
		}
	}
	return found
}

// Healthy fails the test for a rule that could not be evaluated.
func (p *Prometheus) Healthy() {
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
