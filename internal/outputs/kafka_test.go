package outputs

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/elastic/beats/v7/libbeat/outputs/outest"
)

// libbeat closes the client while it publishes, when a stop has run out of time: what is left of the batch is given back, and
// nothing panics.
func TestKafkaIsClosedWhileItPublishes(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "events"))
	require.NoError(t, err)
	defer cluster.Close()
	underway, first := make(chan struct{}), sync.Once{}
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		first.Do(func() { close(underway) })
		return nil, nil, false
	})
	client := newClient(t, "kafka", map[string]any{"hosts": cluster.ListenAddrs(), "topic": "events", "required_acks": -1})
	require.NoError(t, client.Connect(t.Context()))
	batch := outest.NewBatch(events(3000, 10_000)...)
	ended := make(chan outest.BatchSignal, 1)
	batch.OnSignal = func(signal outest.BatchSignal) { ended <- signal }
	published := make(chan error, 1)
	go func() { published <- client.Publish(t.Context(), batch) }()
	<-underway
	require.NoError(t, client.Close())
	require.NoError(t, <-published)
	signal := <-ended
	require.Equal(t, outest.BatchRetryEvents, signal.Tag)
	require.NotEmpty(t, signal.Events)
}
