package beater_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/logp/logptest"

	"github.com/txn2/rtbeat/beater"
	"github.com/txn2/rtbeat/internal/pipelinetest"
)

func TestTheStartLogsTheSettingsInForce(t *testing.T) {
	logger, observed := logptest.NewTestingLoggerWithObserver(t, "")
	b := &beat.Beat{
		Info:      beat.Info{Version: "1.2.3", Logger: logger},
		Config:    &beat.BeatConfig{},
		Publisher: pipelinetest.New(t, &pipelinetest.Output{}, 1, pipelinetest.Config(t, "")),
	}
	require.NoError(t, section(t, "output.logstash.hosts: [a]").Unpack(b.Config))
	settings := "host: 127.0.0.1\nport: 0\nmax_connections: 7\nauth: {bearer.tokens: [secret-token], basic: {username: a, password: secret-word}}"
	bt, err := beater.New(b, section(t, settings), beater.Options{Root: section(t, "queue.mem.flush.timeout: 0s")})
	require.NoError(t, err)
	bt.Stop()
	require.NoError(t, bt.Run(b))

	lines := observed.FilterMessage("listening on " + bt.Address()).All()
	require.Len(t, lines, 1)
	require.Equal(t, map[string]any{
		"service.version": "1.2.3", "tls": false, "auth": "bearer, basic", "output": "logstash", "ack": "delivered",
		"timeout": "5s", "stall_after": "30s", "shutdown_timeout": "30s",
		"max_body_bytes": int64(16 << 20), "max_messages": int64(50_000), "max_in_flight_bytes": int64(32 << 20), "max_connections": int64(7),
	}, lines[0].ContextMap())
	for _, line := range observed.All() {
		require.NotContains(t, line.Message, "secret-")
	}
}
