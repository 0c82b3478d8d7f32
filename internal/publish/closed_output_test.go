package publish_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/outputs/logstash"
	"github.com/elastic/beats/v7/libbeat/publisher"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"

	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/pipelinetest"
)

// closedLogstash publishes with libbeat's Logstash client after Close, as a closing pipeline does. The client was never connected:
// libbeat would leave a goroutine behind. Every batch fails.
func closedLogstash(t *testing.T, settings string) (publish func(publisher.Batch)) {
	t.Helper()
	config, err := conf.NewConfigWithYAML([]byte("{hosts: ['127.0.0.1:5044'], "+settings+"}"), "test")
	require.NoError(t, err)
	group, err := logstash.MakeLogstashClients("9.9.9", logp.NewNopLogger(), outputs.NewNilObserver(), config, "rtbeat")
	require.NoError(t, err)
	client, ok := group.Clients[0].(outputs.NetworkClient)
	require.True(t, ok)
	require.NoError(t, client.Close())
	return func(b publisher.Batch) { require.Error(t, client.Publish(t.Context(), b)) }
}

// docs/architecture.md says of libbeat that a closed asynchronous client acknowledges a batch that it never sent. If this test fails,
// libbeat has changed, and the row in the table may go.
func TestAClosedAsynchronousLogstashClientAcknowledgesUnsentBatches(t *testing.T) {
	r := newRig(t, &pipelinetest.Output{OnBatch: closedLogstash(t, "pipelining: 2")}, 1, 16, "")
	r.requireDelivered(r.publish(numbered(5)...), inflight.Progress{Messages: 5, Acked: 5})
}

// The registry is sealed before the pipeline is closed, so no sender is answered 200.
func TestAfterSealAClosedLogstashClientResolvesNoBatch(t *testing.T) {
	for name, settings := range map[string]string{"whole batch": "pipelining: 2", "slow start": "pipelining: 2, slow_start: true"} {
		t.Run(name, func(t *testing.T) {
			publish := closedLogstash(t, settings)
			output := &pipelinetest.Output{}
			r := newRig(t, output, 1, 16, "")
			token := r.publish(numbered(5)...)
			var windows []publisher.Batch
			for held := 0; held < 5; {
				window := output.Next()
				held += len(window.Events())
				windows = append(windows, window)
			}
			r.registry.Seal()
			for _, window := range windows {
				publish(window)
			}
			r.close()
			ctx, cancel := r.patient()
			defer cancel()
			require.ErrorIs(t, token.Wait(ctx), inflight.ErrSealed)
			require.Zero(t, r.count("rtbeat_events_acked_total"), "nothing was acknowledged")
		})
	}
}
