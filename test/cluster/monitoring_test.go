//go:build cluster

package cluster

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// monitored has a stall that shows after seconds.
const monitored = `
rtbeat.timeout: 5
rtbeat.stall_after: 5
output.logstash:
  hosts: ["logstash:5044"]
  backoff.init: 500ms
  backoff.max: 4s
`

// TestMonitoring breaks one of several instances after the other, and requires the alerts of that instance, and no others. What
// Kubernetes does every day fires none.
func TestMonitoring(t *testing.T) {
	require.NoError(t, startProxies("iptables"))
	sink := listen(t)
	s := install(t, "monitoring-drill", monitored, "base")
	p := s.prometheus()
	f := send(t, sink, s.url(), 8, 8)
	f.awaitBatches(200)
	harness.Await(t, alertsWithin, "both pods in Prometheus", func() bool { return s.scraped(p, 2) })

	quiet := time.Now()
	s.must("", "rollout", "restart", "deployment/rtbeat")
	s.rolledOut()
	time.Sleep(settle)
	p.wasQuiet(quiet, "a rollout")
	s.must("", "scale", "deployment/rtbeat", "--replicas=4")
	s.rolledOut()
	harness.Await(t, alertsWithin, "four pods in Prometheus", func() bool { return s.scraped(p, 4) })
	p.wasQuiet(quiet, "scaling from 2 to 4 pods")

	s.breakThree(p, sink)
	f.awaitBatches(200)

	quiet = time.Now()
	s.must("", "scale", "deployment/rtbeat", "--replicas=2")
	time.Sleep(settle)
	harness.Await(t, alertsWithin, "two pods in Prometheus", func() bool { return s.scraped(p, 2) })
	p.wasQuiet(quiet, "scaling from 4 to 2 pods")

	// A replacement without a node has no address, so there is no target that could be down.
	for _, n := range cluster.nodes {
		t.Cleanup(func() { _, _ = kubectl("", "uncordon", nodeName(n.n)) })
		s.must("", "cordon", nodeName(n.n))
	}
	s.must("", "delete", "pod", s.pods()[0].name, "--wait=false", "--grace-period=1")
	require.Equal(t, []string{"RtbeatRedundancyLost"}, p.awaitFiring("RtbeatRedundancyLost"))
	for _, n := range cluster.nodes {
		s.must("", "uncordon", nodeName(n.n))
	}
	f.end("a rollout, 2 → 4 → 2 pods, and broken pods, 8 kept and 8 new connections")
	s.must("", "scale", "deployment/rtbeat", "--replicas=0")
	require.Equal(t, []string{"RtbeatAbsent"}, p.awaitFiring("RtbeatAbsent"))
	s.must("", "scale", "deployment/rtbeat", "--replicas=2")
	p.restarted = ""
	p.awaitQuiet()
	p.Healthy()
}

// scraped says whether Prometheus scrapes exactly this number of pods, and those that Kubernetes has.
func (s *namespace) scraped(p *prometheus, number int) bool {
	s.t.Helper()
	pods := s.pods()
	if len(pods) != number || p.value(`count(up{job="rtbeat"})`) != float64(number) {
		return false
	}
	for _, pod := range pods {
		if p.value(`up{job="rtbeat", namespace=%q, pod=%q, instance="%s:8082"}`, s.name, pod.name, pod.ip) != 1 {
			return false
		}
	}
	return true
}

// breakThree breaks three of four pods in three ways, and mends them.
func (s *namespace) breakThree(p *prometheus, sink *lumbersink.Sink) {
	s.t.Helper()
	began, pods := time.Now(), s.pods()
	// A pod without senders does not stall.
	slices.SortFunc(pods, func(a, b pod) int { return cmp.Compare(b.messages(s.t), a.messages(s.t)) })
	stalled, stopped, crashing, well := pods[0], pods[1], pods[2], pods[3]
	mend := s.stall(stalled, sink)
	s.signal(stopped, "STOP")
	p.awaitFiring("RtbeatOutputStalled "+stalled.name, "RtbeatDown "+stopped.name)
	harness.Await(s.t, 30*time.Second, "the Service leads to the two others", func() bool {
		ready := s.ready()
		return len(ready) == 2 && slices.Contains(ready, crashing.ip) && slices.Contains(ready, well.ip)
	})
	s.signal(stopped, "CONT") // before the liveness probe has it killed
	mend()
	for n := 1; n <= 3; n++ {
		s.signal(crashing, "KILL")
		harness.Await(s.t, alertsWithin, "a restart", func() bool {
			return p.value(`changes(process_start_time_seconds{job="rtbeat", pod=%q}[10m])`, crashing.name) >= float64(n)
		})
	}
	p.awaitFiring(restarting + " " + crashing.name)
	for _, alert := range p.fired(began) {
		name, pod, _ := strings.Cut(alert, " ")
		require.Contains(s.t, []string{stalled.name, stopped.name, crashing.name}, pod, alert)
		require.True(s.t, name != "RtbeatOutputStalled" || pod == stalled.name, alert)
		require.True(s.t, name != restarting || pod == crashing.name, alert)
		require.True(s.t, name != "RtbeatDown" || pod != stalled.name, alert)
	}
	p.restarted = crashing.name
	p.awaitQuiet()
}

// stall leads the pod's connections to a second sink, which acknowledges nothing, until mend is called.
func (s *namespace) stall(p pod, sink *lumbersink.Sink) (mend func()) {
	s.t.Helper()
	silent, err := lumbersink.Listen(controlIP+":0", harness.SinkTimes(lumbersink.WithPolicy(lumbersink.Never()))...)
	require.NoError(s.t, err)
	rule := func(action string) {
		_, err := output("iptables", "-t", "nat", action, "PREROUTING", "-s", p.ip, "-p", "tcp", "-d", controlIP, "--dport", "5044",
			"-j", "DNAT", "--to-destination", silent.Addr())
		require.NoError(s.t, err)
	}
	rule("-I")
	mend = sync.OnceFunc(func() {
		rule("-D")
		// The pod connects again, and sends its events to the first sink.
		silent.SetPolicy(lumbersink.Refuse())
		require.NoError(s.t, silent.Close())
		require.Zero(s.t, silent.Acked())
	})
	s.t.Cleanup(mend)
	sink.Cut()
	harness.Arrived(s.t, silent, 1)
	return mend
}

// ready are the addresses to which the Service for senders leads.
func (s *namespace) ready() []string {
	s.t.Helper()
	return strings.Fields(s.must("", "get", "endpointslices", "--selector", "kubernetes.io/service-name=rtbeat", "--output",
		`jsonpath={range .items[*].endpoints[?(@.conditions.ready==true)]}{.addresses[0]}{"\n"}{end}`))
}
