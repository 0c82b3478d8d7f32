//go:build manifests

package manifests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// closing is what rtbeat takes after shutdown_timeout at most, and some for the machine (docs/operations.md).
const closing = 5

// hold is everything that must be true of whatever is applied.
func hold(t *testing.T, schemas string, s set) {
	t.Helper()
	require.Empty(t, conform(t, schemas, s.text))
	raw, w := s.theWorkload(t)
	require.Empty(t, restricted(t, raw.at("spec", "template")))
	config := effective(t, s, w)
	holdPod(t, w)
	holdTimes(t, w, config)
	holdPorts(t, s, w, config)
	holdSelectors(t, s, w)
}

// holdPod is what the restricted profile does not ask for.
func holdPod(t *testing.T, w workload) {
	t.Helper()
	pod := w.Spec.Template.Spec
	require.NotNil(t, pod.Automount)
	require.False(t, *pod.Automount, "rtbeat has no use for a token")
	require.NotNil(t, pod.ServiceLinks)
	require.False(t, *pod.ServiceLinks, "RTBEAT_PORT and the like would be variables of the configuration")
	c := pod.Containers[0]
	require.True(t, c.Security.ReadOnly)
	require.NotEmpty(t, c.Resources.Requests["cpu"], "the autoscaler counts in shares of it")
	require.NotEmpty(t, c.Resources.Limits["memory"], "GOMEMLIMIT comes from it")
	require.Equal(t, c.Resources.Requests["memory"], c.Resources.Limits["memory"])
}

// holdTimes is docs/operations.md, "Times that must agree".
func holdTimes(t *testing.T, w workload, config object) {
	t.Helper()
	seconds := func(key string) int {
		n, ok := config.at("rtbeat", key).(int)
		require.True(t, ok, "rtbeat.%s is %v; the manifests count on plain seconds", key, config.at("rtbeat", key))
		return n
	}
	timeout, delay, budget := seconds("timeout"), seconds("shutdown_delay"), seconds("shutdown_timeout")
	pod := w.Spec.Template.Spec
	c := pod.Containers[0]
	require.Nil(t, c.Lifecycle, "shutdown_delay takes the place of a preStop hook")
	require.GreaterOrEqual(t, delay, 5, "a pod serves until everybody knows that it goes")
	require.Less(t, delay+timeout, budget, "a request that comes during shutdown_delay has its whole timeout")
	require.Greater(t, pod.Grace, budget+closing, "the kubelet would kill a pod that still stops")
	require.GreaterOrEqual(t, delay, c.Readiness.Period*c.Readiness.Threshold, "who goes by /readyz must see it before the port closes")
	require.GreaterOrEqual(t, c.Startup.Period*c.Startup.Threshold, 60, "a machine may be busy when a pod starts")
	require.Greater(t, c.Liveness.Period*c.Liveness.Threshold, 30, "a busy machine is no dead process")
}

// holdPorts follows each port from where it is asked for to the listener.
func holdPorts(t *testing.T, s set, w workload, config object) {
	t.Helper()
	c := w.Spec.Template.Spec.Containers[0]
	require.Equal(t, config.at("rtbeat", "port"), c.port("http"))
	require.Equal(t, config.at("rtbeat", "admin", "port"), c.port("admin"))
	for path, p := range map[string][]probe{"/livez": {c.Startup, c.Liveness}, "/readyz": {c.Readiness}} {
		for _, p := range p {
			require.Equal(t, path, p.HTTPGet.Path)
			require.Equal(t, "admin", p.HTTPGet.Port, "all of max_connections may wait at the other one")
		}
	}
	for _, service := range s.all("Service") {
		ports := decode[[]struct {
			TargetPort string `yaml:"targetPort"`
		}](t, service.at("spec", "ports"))
		require.Len(t, ports, 1, "what is for senders, and what is for us, have Services of their own")
		require.Contains(t, c.portNames(), ports[0].TargetPort)
		if ports[0].TargetPort == "http" {
			require.Equal(t, "ClientIP", service.at("spec", "sessionAffinity"), "a retry has to meet the pod that knows it")
		}
	}
	for _, policy := range s.all("NetworkPolicy") {
		hosts := decode[[]string](t, config.at("output", "logstash", "hosts"))
		_, port, found := strings.Cut(hosts[0], ":")
		require.True(t, found)
		var open []string
		for _, rule := range decode[[]struct{ Ports []struct{ Port string } }](t, policy.at("spec", "egress")) {
			for _, p := range rule.Ports {
				open = append(open, p.Port)
			}
		}
		require.Subset(t, open, []string{port, "53"}, "the pods cannot reach their output")
	}
}

// holdSelectors finds what points at nothing.
func holdSelectors(t *testing.T, s set, w workload) {
	t.Helper()
	labels := w.Spec.Template.Metadata.Labels
	require.NotEmpty(t, w.Spec.Selector.MatchLabels)
	for key, value := range w.Spec.Selector.MatchLabels {
		require.Equal(t, value, labels[key])
	}
	services := map[string]bool{}
	for _, service := range s.all("Service") {
		require.True(t, selects(service.at("spec", "selector"), labels), "Service %s", service.name())
		services[service.name()] = true
	}
	if w.Kind == "StatefulSet" {
		require.True(t, services[w.Spec.ServiceName], "no Service %q", w.Spec.ServiceName)
	}
	for _, o := range s.all("PodDisruptionBudget") {
		require.True(t, selects(o.at("spec", "selector", "matchLabels"), labels))
		require.Equal(t, "AlwaysAllow", o.at("spec", "unhealthyPodEvictionPolicy"))
	}
	for _, o := range s.all("NetworkPolicy") {
		require.True(t, selects(o.at("spec", "podSelector", "matchLabels"), labels))
	}
	for _, o := range s.all("HorizontalPodAutoscaler") {
		require.Equal(t, w.Kind, o.at("spec", "scaleTargetRef", "kind"))
		require.Nil(t, w.Spec.Replicas, "an apply would set the autoscaler's number back")
	}
	for _, o := range s.all("ServiceMonitor") {
		var found []string
		for _, service := range s.all("Service") {
			if selects(o.at("spec", "selector", "matchLabels"), decode[map[string]string](t, service.at("metadata", "labels"))) {
				found = append(found, service.name())
				require.Equal(t, "rtbeat", service.at("metadata", "labels", text(o.at("spec", "jobLabel"))), "the rules select this job")
			}
		}
		require.Len(t, found, 1, "of each pod once")
	}
	account := w.Spec.Template.Spec.ServiceAccount
	require.NotEmpty(t, account)
	for _, o := range s.all("ServiceAccount") {
		require.Equal(t, account, o.name())
	}
}
