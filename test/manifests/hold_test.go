//go:build manifests

package manifests

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// closing bounds rtbeat's last steps after shutdown_timeout, with a reserve for the machine (docs/operations.md).
const closing = 5

// hold checks all rules for applied objects.
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

// holdPod checks rules that the restricted profile lacks.
func holdPod(t *testing.T, w workload) {
	t.Helper()
	pod := w.Spec.Template.Spec
	require.NotNil(t, pod.Automount)
	require.False(t, *pod.Automount, "rtbeat needs no token")
	require.NotNil(t, pod.ServiceLinks)
	require.False(t, *pod.ServiceLinks, "the configuration would read variables such as RTBEAT_PORT")
	c := pod.Containers[0]
	require.True(t, c.Security.ReadOnly)
	require.NotEmpty(t, c.Resources.Requests["cpu"], "the autoscaler needs it")
	require.NotEmpty(t, c.Resources.Limits["memory"], "GOMEMLIMIT comes from it")
	require.Equal(t, c.Resources.Requests["memory"], c.Resources.Limits["memory"])
}

// holdTimes checks "Times that must agree" of docs/operations.md.
func holdTimes(t *testing.T, w workload, config object) {
	t.Helper()
	seconds := func(key string) int {
		n, ok := config.at("rtbeat", key).(int)
		require.True(t, ok, "rtbeat.%s is %v; the manifests have plain seconds", key, config.at("rtbeat", key))
		return n
	}
	timeout, delay, budget := seconds("timeout"), seconds("shutdown_delay"), seconds("shutdown_timeout")
	if output := config.at("output", "logstash"); output != nil {
		require.Equal(t, "10s", config.at("output", "logstash", "timeout"), "connecting to a Logstash pod that is gone; not less, for a slow Logstash")
	}
	pod := w.Spec.Template.Spec
	c := pod.Containers[0]
	require.Nil(t, c.Lifecycle, "shutdown_delay takes the place of a preStop hook")
	require.GreaterOrEqual(t, delay, 5, "a pod serves until all clients know of its end")
	require.Less(t, delay+timeout, budget, "a request during shutdown_delay has its whole timeout")
	require.Greater(t, pod.Grace, budget+closing, "the kubelet would kill a pod during its shutdown")
	require.GreaterOrEqual(t, delay, c.Readiness.Period*c.Readiness.Threshold, "clients of /readyz must see it before the port closes")
	require.GreaterOrEqual(t, c.Startup.Period*c.Startup.Threshold, 60, "a machine may be busy when a pod starts")
	require.Greater(t, c.Liveness.Period*c.Liveness.Threshold, 30, "a busy machine must not look like a dead process")
}

// holdPorts compares each port with its listener.
func holdPorts(t *testing.T, s set, w workload, config object) {
	t.Helper()
	c := w.Spec.Template.Spec.Containers[0]
	require.Equal(t, config.at("rtbeat", "port"), c.port("http"))
	require.Equal(t, config.at("rtbeat", "admin", "port"), c.port("admin"))
	for path, p := range map[string][]probe{"/livez": {c.Startup, c.Liveness}, "/readyz": {c.Readiness}} {
		for _, p := range p {
			require.Equal(t, path, p.HTTPGet.Path)
			require.Equal(t, "admin", p.HTTPGet.Port, "max_connections may be exhausted on the other port")
		}
	}
	for _, service := range s.all("Service") {
		ports := decode[[]struct {
			TargetPort string `yaml:"targetPort"`
		}](t, service.at("spec", "ports"))
		require.Len(t, ports, 1, "senders and operators have separate Services")
		require.Contains(t, c.portNames(), ports[0].TargetPort)
		if ports[0].TargetPort == "http" {
			require.Equal(t, "ClientIP", service.at("spec", "sessionAffinity"), "a retry must reach the pod of the first attempt")
			age, err := time.ParseDuration(config.at("rtbeat", "max_connection_age").(string))
			require.NoError(t, err)
			remembered := decode[int](t, service.at("spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"))
			require.Less(t, float64(remembered), 0.9*age.Seconds(), "a kept connection must not return to its pod each time")
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

// holdSelectors checks that each selector selects an object.
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
		require.GreaterOrEqual(t, o.at("spec", "minReplicas"), 2)
	}
	for _, o := range s.all("ServiceMonitor") {
		var found []string
		for _, service := range s.all("Service") {
			if selects(o.at("spec", "selector", "matchLabels"), decode[map[string]string](t, service.at("metadata", "labels"))) {
				found = append(found, service.name())
				require.Equal(t, "rtbeat", service.at("metadata", "labels", text(o.at("spec", "jobLabel"))), "the rules select this job")
			}
		}
		require.Len(t, found, 1, "each pod once")
	}
	account := w.Spec.Template.Spec.ServiceAccount
	require.NotEmpty(t, account)
	for _, o := range s.all("ServiceAccount") {
		require.Equal(t, account, o.name())
	}
}
