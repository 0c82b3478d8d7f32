//go:build rolling

package rolling

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// With a ttl, one rtbeat sends to each Logstash behind a balancer of connections. Each event arrives once.
func TestATTLReachesEveryLogstashBehindABalancer(t *testing.T) {
	t.Parallel()
	path := harness.FindProgram(t, "haproxy")
	one, two := harness.StartSink(t, lumbersink.Immediate()), harness.StartSink(t, lumbersink.Immediate())
	front, _ := harness.FreeAddress(t)
	harness.StartHAProxy(t, path, fmt.Sprintf(`defaults
    mode tcp
    timeout connect 2s
    timeout client 60s
    timeout server 60s

frontend in
    bind %s
    default_backend logstash

backend logstash
    balance roundrobin
    server one %s
    server two %s
`, front, one.Addr(), two.Addr()), front)

	home := t.TempDir()
	base := harness.Settings{Home: home, Sink: front}
	block := page.Recipe(t, "logstash-ttl", "logstash.example:5044", front, "ttl: 60s", "ttl: 200ms")
	b := harness.StartBeatArgs(t, home, "-c", base.WriteConfig(t, home), "-c", harness.WriteRecipe(t, home, "block.yml", block))
	l := harness.NewLedger(t)
	harness.Await(t, harness.ArriveWithin, "events at both", func() bool {
		a := l.Post(t.Context(), b.Addr, harness.NewBatch(fmt.Sprintf("ttl-%d", l.Sent()), 3))
		require.Equal(t, http.StatusOK, a.Code, "%s", a)
		return one.Received() > 0 && two.Received() > 0
	})
	l.CheckOnce(t, one, two)
}
