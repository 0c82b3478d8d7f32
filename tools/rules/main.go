// Command rules copies deploy/prometheus/rules.yml to the two places that need their own copy: the Helm chart, which reads no
// file outside of itself, and the PrometheusRule for the Prometheus operator.
package main

import (
	"bytes"
	"errors"
	"os"
	"regexp"

	"github.com/txn2/rtbeat/tools/generate"
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

func main() { generate.Main(copies) }

func copies() (map[string][]byte, error) {
	rules, err := os.ReadFile("deploy/prometheus/rules.yml")
	if err != nil {
		return nil, err
	}
	comment, _, found := bytes.Cut(rules, []byte("groups:"))
	if !found {
		return nil, errors.New("deploy/prometheus/rules.yml has no groups")
	}
	indented := regexp.MustCompile(`(?m)^(.)`).ReplaceAll(rules[len(comment):], []byte("  $1"))
	return map[string][]byte{
		"deploy/helm/rtbeat/files/rules.yml":                          rules,
		"deploy/kubernetes/components/monitoring/prometheusrule.yaml": append([]byte(object), indented...),
	}, nil
}
