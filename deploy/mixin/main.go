// Command mixin writes the monitoring of rtbeat: the recording rules and alerts for Prometheus, once more as the manifests
// and the chart for Kubernetes want them, and the dashboard for Grafana. All come from the settings in config.go, so that they
// agree on what is selected and on what is too much.
// `make mixin` runs it; `make generate-check` fails when a file is out of date.
//
// Who scrapes rtbeat under another name of the job writes files of his own:
//
//	go run ./deploy/mixin -job my-rtbeat -out /etc/monitoring
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	c := defaults()
	flag.StringVar(&c.Job, "job", c.Job, "the label `job` of rtbeat's targets")
	flag.StringVar(&c.Runbooks, "runbooks", c.Runbooks, "where the runbooks are, without the anchor")
	out := flag.String("out", "deploy", "the `folder` to write prometheus/rules.yml, grafana/rtbeat.json and the rest to")
	check := flag.Bool("check", false, "write nothing; fail when a file is out of date")
	flag.Parse()
	if err := run(c, *out, *check); err != nil {
		fmt.Fprintln(os.Stderr, "mixin:", err)
		os.Exit(1)
	}
}

func run(c config, out string, check bool) error {
	rules, err := renderRules(c)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	object, err := renderPrometheusRule(c)
	if err != nil {
		return fmt.Errorf("rules for Kubernetes: %w", err)
	}
	dashboard, err := renderDashboard(c)
	if err != nil {
		return fmt.Errorf("dashboard: %w", err)
	}
	return errors.Join(
		put(filepath.Join(out, "prometheus", "rules.yml"), rules, check),
		put(filepath.Join(out, "kubernetes", "components", "monitoring", "prometheusrule.yaml"), object, check),
		put(filepath.Join(out, "helm", "rtbeat", "files", "rules.yml"), rules, check), // a chart reads no file outside of itself
		put(filepath.Join(out, "grafana", "rtbeat.json"), dashboard, check),
	)
}

// put writes a file, or compares it with what would be written.
func put(path string, want []byte, check bool) error {
	if !check {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, want, 0o644)
	}
	if have, err := os.ReadFile(filepath.Clean(path)); err != nil || !bytes.Equal(have, want) {
		return errors.Join(err, fmt.Errorf("%s is out of date: run `make mixin` and commit it", path))
	}
	return nil
}
