//go:build cluster

package cluster

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// balance is each pod's share of the messages of ten seconds, in percent.
func (s *space) balance() map[string]int {
	s.t.Helper()
	pods := s.pods()
	before := make([]float64, len(pods))
	for i, p := range pods {
		before[i] = p.messages(s.t)
	}
	time.Sleep(10 * time.Second)
	var all float64
	more := make([]float64, len(pods))
	for i, p := range pods {
		more[i] = p.messages(s.t) - before[i]
		all += more[i]
	}
	shares := map[string]int{}
	for i, p := range pods {
		shares[p.name] = int(100*more[i]/all + 0.5)
	}
	return shares
}

// busiest is the pod with the most messages of ten seconds.
func (s *space) busiest() (busiest pod) {
	s.t.Helper()
	shares := s.balance()
	for _, p := range s.pods() {
		if busiest.name == "" || shares[p.name] > shares[busiest.name] {
			busiest = p
		}
	}
	return busiest
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
