//go:build cluster

package cluster

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// scale sets the number of pods, and waits until they are ready.
func (s *namespace) scale(pods int) {
	s.t.Helper()
	s.must("", "scale", "deployment/rtbeat", "--replicas="+strconv.Itoa(pods))
	s.rolledOut()
}

// shares are the pods' shares of the load's messages that arrived since then, in percent, in ascending order.
func (f *load) shares(pods []pod, since time.Time) []int {
	f.t.Helper()
	count, all := map[string]int{}, 0
	for _, e := range f.events() {
		if e.Received.After(since) {
			ip, _, _ := strings.Cut(e.Conn, ":")
			count[ip]++
			all++
		}
	}
	shares := make([]int, len(pods))
	for i, p := range pods {
		shares[i] = 100 * count[p.ip] / max(all, 1)
	}
	slices.Sort(shares)
	return shares
}

// busiest is the pod that has accepted the most messages.
func (s *namespace) busiest() pod {
	s.t.Helper()
	pods := s.pods()
	return slices.MaxFunc(pods, func(a, b pod) int { return int(a.messages(s.t) - b.messages(s.t)) })
}

// messages is the pod's count of accepted messages.
func (p pod) messages(t testing.TB) float64 {
	t.Helper()
	return p.metric(t, `rtbeat_messages_total{source="in"}`)
}

// metric is one value of the pod's /metrics.
func (p pod) metric(t testing.TB, name string) float64 {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.ip+":8082/metrics", http.NoBody)
	require.NoError(t, err)
	samples, err := harness.NewClientOver(transport).Do(req).Samples()
	require.NoError(t, err)
	require.Contains(t, samples, name)
	return samples[name]
}
