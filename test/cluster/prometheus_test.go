//go:build cluster

package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/txn2/rtbeat/test/harness"
)

const (
	// minute is a minute of the shipped alerts in the test. Waits and ranges of the rules are shorter by the same factor.
	minute = 2500 * time.Millisecond
	// alertsWithin bounds the wait for an alert. The longest wait of an alert here is 10 minutes.
	alertsWithin = 90 * time.Second
)

// prometheus is a Prometheus that finds the pods as documented and has the shipped rules, with shorter times.
type prometheus struct {
	*harness.Prometheus
	t testing.TB
	// restarted is a pod whose RtbeatRestarting may still fire: it lasts as long as its range.
	restarted string
}

// prometheus starts one outside of the cluster. It has the rights of deploy/prometheus/kubernetes-role.yml and no others.
func (s *namespace) prometheus() *prometheus {
	s.t.Helper()
	for _, args := range [][]string{{"create", "namespace", "monitoring"}, {"-n", "monitoring", "create", "serviceaccount", "prometheus"}} {
		_, err := kubectl("", args...)
		require.NoError(s.t, err)
	}
	s.t.Cleanup(func() { _, _ = kubectl("", "delete", "namespace", "monitoring", "--wait=false") })
	s.must("", "apply", "-f", deployed("prometheus/kubernetes-role.yml"))
	token, err := kubectl("", "-n", "monitoring", "create", "token", "prometheus")
	require.NoError(s.t, err)
	tokenFile := filepath.Join(s.t.TempDir(), "token")
	require.NoError(s.t, os.WriteFile(tokenFile, []byte(token), 0o600))

	text, err := os.ReadFile(deployed("prometheus/kubernetes.yml"))
	require.NoError(s.t, err)
	var config struct {
		Scrapes []map[string]any `yaml:"scrape_configs"`
	}
	require.NoError(s.t, yaml.Unmarshal(text, &config))
	for _, scrape := range config.Scrapes {
		discoveries, ok := scrape["kubernetes_sd_configs"].([]any)
		require.True(s.t, ok)
		for _, d := range discoveries {
			discovery, ok := d.(map[string]any)
			require.True(s.t, ok)
			// In a pod Prometheus has these from its ServiceAccount.
			discovery["api_server"] = "https://" + controlIP + ":6443"
			discovery["authorization"] = map[string]any{"credentials_file": tokenFile}
			discovery["tls_config"] = map[string]any{"insecure_skip_verify": true}
			discovery["namespaces"] = map[string]any{"names": []string{s.name}}
		}
	}
	running := harness.StartPrometheus(s.t, program("prometheus"), config.Scrapes, []string{fastRules(s.t)})
	return &prometheus{Prometheus: running, t: s.t}
}

// deployed is the path of a file below deploy.
func deployed(path string) string {
	whole, err := filepath.Abs(filepath.Join(harness.RepoRoot, "deploy", path))
	if err != nil {
		panic(err) // the working directory is gone
	}
	return whole
}

// kubernetesTimes are times in the rules that cover times of Kubernetes, which are not shorter in the test. The address of a pod that
// has ended stays for some seconds, and the kubelet pauses between restarts.
var kubernetesTimes = strings.NewReplacer(
	"expr: up{job=\"rtbeat\"} == 0\n        for: 5m", "expr: up{job=\"rtbeat\"} == 0\n        for: 30s",
	`changes(process_start_time_seconds{job="rtbeat"}[30m])`, `changes(process_start_time_seconds{job="rtbeat"}[120s])`,
)

// fastRules writes the shipped rules with minute in place of a minute, and returns the file's path. Ranges of days stay.
func fastRules(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(deployed("prometheus/rules.yml"))
	require.NoError(t, err)
	times := regexp.MustCompile(`(\[|for: )(\d+)m\b`)
	fast := times.ReplaceAllStringFunc(kubernetesTimes.Replace(string(text)), func(found string) string {
		part := times.FindStringSubmatch(found)
		n, err := strconv.Atoi(part[2])
		require.NoError(t, err)
		return part[1] + model.Duration(time.Duration(n)*minute).String()
	})
	require.Contains(t, fast, "for: 30s\n")
	require.Contains(t, fast, "[120s]")
	path := filepath.Join(t.TempDir(), "rules.yml")
	require.NoError(t, os.WriteFile(path, []byte(fast), 0o600))
	return path
}

// value is the current value of a query with one result, or 0.
func (p *prometheus) value(format string, args ...any) float64 {
	p.t.Helper()
	now := time.Now()
	for _, values := range p.Series(fmt.Sprintf(format, args...), now, now) {
		return values[0]
	}
	return 0
}

const restarting = "RtbeatRestarting"

// firing are the firing alerts, each with its pod if it has one, in order, without that of the restarted pod.
func (p *prometheus) firing() (alerts []string) {
	p.t.Helper()
	for alert, state := range p.Alerts("pod") {
		if state == v1.AlertStateFiring && alert != restarting+" "+p.restarted {
			alerts = append(alerts, strings.TrimSpace(alert))
		}
	}
	slices.Sort(alerts)
	return alerts
}

// awaitFiring waits until all these alerts fire at once, and returns all that fire.
func (p *prometheus) awaitFiring(alerts ...string) (all []string) {
	p.t.Helper()
	began := time.Now()
	harness.Await(p.t, alertsWithin, strings.Join(alerts, ", "), func() bool {
		all = p.firing()
		return !slices.ContainsFunc(alerts, func(a string) bool { return !slices.Contains(all, a) })
	})
	p.t.Logf("after %.0f s: %s", time.Since(began).Seconds(), strings.Join(all, ", "))
	return all
}

// awaitQuiet waits until no alert fires.
func (p *prometheus) awaitQuiet() {
	p.t.Helper()
	began := time.Now()
	harness.Await(p.t, alertsWithin, "no alert", func() bool { return len(p.firing()) == 0 })
	p.t.Logf("after %.0f s: no alert", time.Since(began).Seconds())
}

// wasQuiet fails the test if an alert has fired since.
func (p *prometheus) wasQuiet(since time.Time, what string) {
	p.t.Helper()
	require.Empty(p.t, p.fired(since), "alerts in %s", what)
}

// fired are the alerts that have fired since, each with its pod, in order, without that of the restarted pod.
func (p *prometheus) fired(since time.Time) (alerts []string) {
	p.t.Helper()
	query := `label_join(group by (alertname, pod) (ALERTS{alertstate="firing"}), "alert", " ", "alertname", "pod")`
	label := regexp.MustCompile(`alert="([^"]*)"`)
	for series := range p.Series(query, since, time.Now()) {
		if alert := strings.TrimSpace(label.FindStringSubmatch(series)[1]); alert != restarting+" "+p.restarted {
			alerts = append(alerts, alert)
		}
	}
	slices.Sort(alerts)
	return alerts
}
