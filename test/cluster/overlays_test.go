//go:build cluster

package cluster

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// Each overlay is applied over each other one, as somebody does who changes his mind. There are never fewer than two pods wanted.
func TestOverlaysOverEachOther(t *testing.T) {
	_, err := kubectl(monitoringKinds, "apply", "-f", "-")
	require.NoError(t, err)
	addVolumes(t, "overlays", 1)
	s := newReader(t).deleteAtEnd("rtbeat")
	deploy, err := filepath.Abs(filepath.Join(harness.RepoRoot, "deploy", "kubernetes"))
	require.NoError(t, err)
	apply := func(overlay string) {
		folder := "overlays/" + overlay
		if overlay == "base" {
			folder = overlay
		}
		s.must("", "apply", "-k", filepath.Join(deploy, folder))
	}
	apply("production") // has the namespace
	s.must(sinkService, "apply", "-f", "-")
	certificate, key := harness.InPEM(t, harness.NewAuthority(t).Issue(t, harness.CertificateFor("rtbeat")))
	r := newReader(t)
	r.write("tls.crt", certificate)
	r.write("tls.key", key)
	s.must("", "create", "secret", "tls", "rtbeat-tls", "--cert="+filepath.Join(r.folder, "tls.crt"), "--key="+filepath.Join(r.folder, "tls.key"))
	s.must("", "create", "secret", "generic", "rtbeat", "--from-literal=RTBEAT_TOKEN=secret")
	harness.Await(t, time.Minute, "the second pod", func() bool { return s.get("deployment/rtbeat", "{.spec.replicas}") == "2" })
	s.rolledOut()

	// Each pair follows once, in both orders.
	last := "production"
	for overlay := range strings.SplitSeq("tls production base tls base production durable base durable tls durable production", " ") {
		wanted := s.watchReplicas()
		apply(overlay)
		kind := "deployment"
		if overlay == "durable" {
			kind = "statefulset"
		}
		harness.Await(t, time.Minute, "two pods wanted", func() bool { return s.get(kind+"/rtbeat", "{.spec.replicas}") == "2" })
		s.must("", "rollout", "status", kind+"/rtbeat", "--timeout=120s")
		if least := wanted(); kind == "deployment" && last != "durable" {
			require.GreaterOrEqual(t, least, 2, "%s over %s: the least number of replicas", overlay, last)
		}
		// As the page says after a change between the two kinds.
		if overlay == "durable" {
			s.must("", "delete", "deployment,hpa", "rtbeat")
		} else if last == "durable" {
			s.must("", "delete", "statefulset", "rtbeat")
		}
		last = overlay
	}
}

// watchReplicas follows the Deployment's number of replicas. wanted ends that, and returns the least one.
func (s *namespace) watchReplicas() (wanted func() int) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), program("kubectl"), "--kubeconfig="+file("admin.kubeconfig"), "--namespace", s.name,
		"get", "deployments", "--watch", "--output", `jsonpath={.spec.replicas}{"\n"}`)
	var out strings.Builder
	cmd.Stdout = &out
	require.NoError(s.t, cmd.Start())
	return func() int {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		least := 99
		for seen := range strings.FieldsSeq(out.String()) {
			n, err := strconv.Atoi(seen)
			require.NoError(s.t, err)
			least = min(least, n)
		}
		return least
	}
}

// monitoringKinds are the kinds of the Prometheus operator that the manifests use, without their rules.
const monitoringKinds = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: servicemonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  scope: Namespaced
  names: {kind: ServiceMonitor, plural: servicemonitors}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: prometheusrules.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  scope: Namespaced
  names: {kind: PrometheusRule, plural: prometheusrules}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`
