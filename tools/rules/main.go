// Command rules copies deploy/prometheus/rules.yml to the two places that need their own copy: the Helm chart, which reads no
// file outside of itself, and the PrometheusRule for the Prometheus operator. -check compares instead.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
)

const object = `# deploy/prometheus/rules.yml for the Prometheus operator, made by make generate.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: rtbeat
  labels:
    app.kubernetes.io/instance: rtbeat
    app.kubernetes.io/name: rtbeat
    app.kubernetes.io/part-of: rtbeat
spec:
`

func main() {
	check := flag.Bool("check", false, "write nothing; fail when a copy is out of date")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "rules:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	rules, err := os.ReadFile("deploy/prometheus/rules.yml")
	if err != nil {
		return err
	}
	comment, _, found := bytes.Cut(rules, []byte("groups:"))
	if !found {
		return errors.New("deploy/prometheus/rules.yml has no groups")
	}
	groups := rules[len(comment):]
	indented := regexp.MustCompile(`(?m)^(.)`).ReplaceAll(groups, []byte("  $1"))
	return errors.Join(
		put("deploy/helm/rtbeat/files/rules.yml", rules, check),
		put("deploy/kubernetes/components/monitoring/prometheusrule.yaml", append([]byte(object), indented...), check),
	)
}

func put(path string, want []byte, check bool) error {
	if !check {
		return os.WriteFile(path, want, 0o644)
	}
	if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, want) {
		return errors.Join(err, fmt.Errorf("%s is out of date: run `make generate` and commit it", path))
	}
	return nil
}
