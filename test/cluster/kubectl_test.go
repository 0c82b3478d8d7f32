//go:build cluster

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// kubectl runs kubectl as the cluster's administrator, with a text on standard input.
func kubectl(stdin string, args ...string) (string, error) {
	cmd := exec.Command(program("kubectl"), append([]string{"--kubeconfig=" + file("admin.kubeconfig")}, args...)...) //nolint:noctx // bounded by --timeout and the server
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %s: %w\n%s%s", strings.Join(args, " "), err, out, &stderr)
	}
	return string(out), nil
}

// namespace is one test's namespace in the cluster. Its Service logstash is a sink of the test.
type namespace struct {
	t    testing.TB
	name string
}

// kubectl runs kubectl in the namespace.
func (s *namespace) kubectl(stdin string, args ...string) (string, error) {
	return kubectl(stdin, append([]string{"--namespace", s.name}, args...)...)
}

// must is kubectl, and fails the test on an error.
func (s *namespace) must(stdin string, args ...string) string {
	s.t.Helper()
	out, err := s.kubectl(stdin, args...)
	require.NoError(s.t, err)
	return out
}

// get reads one value of an object.
func (s *namespace) get(object, path string) string {
	s.t.Helper()
	return s.must("", "get", object, "--output", "jsonpath="+path)
}

// install makes the namespace, applies the parts of deploy/kubernetes with this rtbeat.yml, and waits until the pods are ready.
func install(t testing.TB, name, rtbeat string, parts ...string) *namespace {
	t.Helper()
	s := &namespace{t: t, name: name}
	_, err := kubectl(fmt.Sprintf(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": %q, "labels": {
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}}}`, name), "apply", "-f", "-")
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			s.describe()
		}
		// The next test does not wait for the pods' shutdown.
		_, err := kubectl("", "delete", "namespace", name, "--wait=false")
		require.NoError(t, err)
	})
	s.must(sinkService, "apply", "-f", "-")
	s.apply(rtbeat, parts...)
	return s
}

// sinkService leads the name logstash to the sink of the test.
const sinkService = `
apiVersion: v1
kind: Service
metadata: {name: logstash}
spec:
  ports: [{port: 5044}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: logstash-1, labels: {kubernetes.io/service-name: logstash}}
addressType: IPv4
ports: [{port: 5044, name: "", protocol: TCP}]
endpoints: [{addresses: ["` + controlIP + `"]}]
`

// overlay writes a kustomization with the base and these components, as a user does, and returns its folder.
func (s *namespace) overlay(rtbeat string, parts ...string) string {
	s.t.Helper()
	dir := s.t.TempDir()
	deploy, err := filepath.Abs(filepath.Join(harness.RepoRoot, "deploy", "kubernetes"))
	require.NoError(s.t, err)
	// kustomize wants relative paths, and follows no link on the way.
	resolved, err := filepath.EvalSymlinks(dir)
	require.NoError(s.t, err)
	deploy, err = filepath.Rel(resolved, deploy)
	require.NoError(s.t, err)
	text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: " + s.name + "\nresources:\n"
	components := "components:\n"
	for _, part := range parts {
		if strings.HasPrefix(part, "components/") {
			components += "  - " + filepath.Join(deploy, part) + "\n"
		} else {
			text += "  - " + filepath.Join(deploy, part) + "\n"
		}
	}
	text += components
	if rtbeat != "" {
		text += "configMapGenerator:\n  - {name: rtbeat, behavior: merge, files: [rtbeat.yml]}\n"
		require.NoError(s.t, os.WriteFile(filepath.Join(dir, "rtbeat.yml"), []byte(rtbeat), 0o600))
	}
	require.NoError(s.t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600))
	return dir
}

// apply applies parts of deploy/kubernetes, and waits for the rollout.
func (s *namespace) apply(rtbeat string, parts ...string) {
	s.t.Helper()
	s.must("", "apply", "-k", s.overlay(rtbeat, parts...))
	harness.Await(s.t, time.Minute, "the HorizontalPodAutoscaler asks for the second pod", func() bool {
		return s.get(s.workload(), "{.spec.replicas}") != "1"
	})
	s.rolledOut()
}

// workload is the Deployment, or the StatefulSet of durable mode.
func (s *namespace) workload() string {
	s.t.Helper()
	return strings.TrimSpace(s.must("", "get", "deployment,statefulset", "--selector", "app.kubernetes.io/name=rtbeat", "--output", "name"))
}

// rolledOut waits until all pods are the current ones, and ready.
func (s *namespace) rolledOut() {
	s.t.Helper()
	s.must("", "rollout", "status", s.workload(), "--timeout=120s")
}

// pod is a pod of rtbeat.
type pod struct{ name, ip, node string }

// pods are the pods of rtbeat that do not stop.
func (s *namespace) pods() (pods []pod) {
	s.t.Helper()
	out := s.must("", "get", "pods", "--selector", "app.kubernetes.io/name=rtbeat", "--output",
		`jsonpath={range .items[*]}{.metadata.name},{.status.podIP},{.spec.nodeName},{.metadata.deletionTimestamp}{"\n"}{end}`)
	for line := range strings.Lines(out) {
		part := strings.Split(strings.TrimSpace(line), ",")
		if len(part) == 4 && part[3] == "" {
			pods = append(pods, pod{part[0], part[1], part[2]})
		}
	}
	return pods
}

// describe prints what a reader of a failure wants to see.
func (s *namespace) describe() {
	for _, args := range [][]string{
		{"get", "pods,events", "--output", "wide"},
		{"logs", "--selector", "app.kubernetes.io/name=rtbeat", "--prefix", "--tail", "20"},
	} {
		out, err := s.kubectl("", args...)
		s.t.Logf("%s\n%v", out, err)
	}
}

// url is the address of the Service for senders.
func (s *namespace) url() string {
	s.t.Helper()
	return "http://" + s.get("service/rtbeat", "{.spec.clusterIP}") + ":8081/in"
}
