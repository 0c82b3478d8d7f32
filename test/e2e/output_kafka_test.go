//go:build e2e

package e2e

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/txn2/rtbeat/test/harness"
)

const kafkaTopic = "events"

// cluster is a Kafka of one broker, as far as a client can tell.
type cluster struct {
	*kfake.Cluster
	t testing.TB
}

func startCluster(t testing.TB) *cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, kafkaTopic))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return &cluster{c, t}
}

func (c *cluster) settings(more map[string]any) harness.Settings {
	output := map[string]any{
		"hosts": c.ListenAddrs(), "topic": kafkaTopic, "required_acks": -1,
		"backoff.init": "100ms", "backoff.max": "200ms", "metadata.retry.backoff": "50ms", "metadata.retry.max": 1,
	}
	maps.Copy(output, more)
	return harness.Settings{Kind: "kafka", Rtbeat: quick, Output: output}
}

// records waits for n records and returns the values of all that are there.
func (c *cluster) records(n int) (values [][]byte) {
	c.t.Helper()
	consumer, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(kafkaTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	require.NoError(c.t, err)
	defer consumer.Close()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	for len(values) < n {
		fetches := consumer.PollFetches(ctx)
		require.NoError(c.t, fetches.Err(), "%d of %d records", len(values), n)
		for record := range fetches.RecordsAll() {
			values = append(values, record.Value)
		}
	}
	return values
}

// answerProduce lets the broker answer each request to produce with an error, as long as wanted says so.
func (c *cluster) answerProduce(code *kerr.Error, wanted func(*kmsg.ProduceRequest) bool) {
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		if !wanted(req) {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range req.Topics {
			answer := kmsg.NewProduceResponseTopic()
			answer.Topic, answer.TopicID = topic.Topic, topic.TopicID
			for _, partition := range topic.Partitions {
				p := kmsg.NewProduceResponseTopicPartition()
				p.Partition, p.ErrorCode = partition.Partition, code.Code
				answer.Partitions = append(answer.Partitions, p)
			}
			resp.Topics = append(resp.Topics, answer)
		}
		return resp, nil, true
	})
}

// A 200 finds all of its records at the broker, which was asked to wait for its replicas.
func TestOutputKafka(t *testing.T) {
	t.Parallel()
	k := startCluster(t)
	var asked atomic.Int64
	k.answerProduce(kerr.UnknownServerError, func(r *kmsg.ProduceRequest) bool {
		asked.Store(int64(r.Acks))
		return false
	})
	b := harness.StartBeat(t, k.settings(nil))
	c := harness.NewClient(t)
	batch := harness.NewBatch("kafka", 50)
	requireDelivered(t, c.Post(t.Context(), b.Addr, batch.Body()), 50)
	require.ElementsMatch(t, ids(batch), idsOf(t, k.records(50)...))
	require.EqualValues(t, -1, asked.Load())
	again := c.Post(t.Context(), b.Addr, batch.Body())
	requireDelivered(t, again, 50)
	require.Equal(t, 50, again.Body.Coalesced)
	require.Equal(t, 50, int(b.Metric("rtbeat_events_acked_total")))
	b.Stop()
}

// A leader that moved, and a timeout between replicas, are tried again until they are over.
func TestOutputKafkaErrorIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, code := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicas} {
		t.Run(code.Message, func(t *testing.T) {
			t.Parallel()
			k := startCluster(t)
			var failing atomic.Bool
			failing.Store(true)
			k.answerProduce(code, func(*kmsg.ProduceRequest) bool { return failing.Load() })
			b := harness.StartBeat(t, k.settings(nil))
			c := harness.NewClient(t)
			batch := harness.NewBatch("retried", 20)
			requireTimeout(t, c.Post(t.Context(), b.Addr, batch.Body()), 20)
			failing.Store(false)
			harness.Await(t, 20*time.Second, "the 200 of a retry", func() bool {
				a := c.Post(t.Context(), b.Addr, batch.Body())
				require.Contains(t, []int{http.StatusOK, http.StatusGatewayTimeout}, a.Code, "%s", a)
				return a.Code == http.StatusOK
			})
			require.ElementsMatch(t, ids(batch), idsOf(t, k.records(20)...))
			require.Zero(t, b.Metric("rtbeat_events_rejected_total"))
			b.Stop()
		})
	}
}

// What the client library finds too large, what has no topic, and what the broker refuses for good: the batch with such a
// message is not answered 200, and those that are sent at the same time are.
func TestOutputKafkaRejects(t *testing.T) {
	t.Parallel()
	large := func(id string) harness.Message {
		return message(id, map[string]any{"topic": kafkaTopic, "pad": strings.Repeat("x", 100_000)})
	}
	for name, tt := range map[string]struct {
		output map[string]any
		code   *kerr.Error
		bad    harness.Message
	}{
		"larger than max_message_bytes": {output: map[string]any{"max_message_bytes": 50_000}, bad: large("bad")},
		"no topic":                      {output: map[string]any{"topic": "%{[rxtxMsg.topic]}"}, bad: message("bad", nil)},
		"too large for the broker":      {code: kerr.MessageTooLarge, bad: large("bad")},
		"not authorized":                {code: kerr.TopicAuthorizationFailed, bad: large("bad")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := startCluster(t)
			if tt.code != nil {
				k.answerProduce(tt.code, func(r *kmsg.ProduceRequest) bool { return len(r.Topics[0].Partitions[0].Records) > 50_000 })
				// Each record is a request of its own, so that the broker refuses that of the bad message alone.
				tt.output = map[string]any{"bulk_max_size": 1, "compression": "none"}
			}
			b := harness.StartBeat(t, k.settings(tt.output))
			c := harness.NewClient(t)
			good := func(id string) harness.Message { return message(id, map[string]any{"topic": kafkaTopic}) }
			mixed := harness.Batch{good("m1"), tt.bad, good("m2")}

			stop := make(chan struct{})
			others := make(chan []string)
			go func() { // others' batches, all the while
				var delivered []string
				for i := 0; ; i++ {
					select {
					case <-stop:
						others <- delivered
						return
					default:
					}
					id := "other-" + string(rune('A'+i%26)) + strings.Repeat("x", i/26)
					if a := c.Post(t.Context(), b.Addr, harness.Batch{good(id)}.Body()); a.Code == http.StatusOK {
						delivered = append(delivered, id)
					} else {
						delivered = append(delivered, a.String())
					}
				}
			}()
			requireRejected(t, c.Post(t.Context(), b.Addr, mixed.Body()), 3, 1)
			a := c.Post(t.Context(), b.Addr, mixed.Body())
			requireRejected(t, a, 3, 1)
			require.Equal(t, 2, a.Body.Coalesced, "%s", a)
			close(stop)
			want := append([]string{"m1", "m2"}, <-others...)
			require.ElementsMatch(t, want, idsOf(t, k.records(len(want))...))
			require.Equal(t, 2, int(b.Metric("rtbeat_events_rejected_total")))
			require.Equal(t, 2, int(b.Metric("rtbeat_libbeat_output_events_dropped_total")))
			harness.Await(t, 5*time.Second, "libbeat's figures, without what was dropped", func() bool {
				return b.Metric("rtbeat_libbeat_output_events_acked_total") == float64(len(want)) && b.Metric("rtbeat_libbeat_output_events_active") == 0
			})
			b.Stop()
		})
	}
}

// A broker that is gone opens the circuit breaker of the client library, and libbeat takes what that refuses for delivered
// where a batch meets nothing else: batches of one event show it.
func TestOutputKafkaIsGone(t *testing.T) {
	t.Parallel()
	k := startCluster(t)
	b := harness.StartBeat(t, k.settings(nil))
	c := harness.NewClient(t)
	requireDelivered(t, c.Post(t.Context(), b.Addr, harness.NewBatch("before", 5).Body()), 5)
	k.Close()
	for i := range 3 {
		batch := harness.NewBatch("gone-"+string(rune('A'+i)), 1)
		a := c.Post(t.Context(), b.Addr, batch.Body())
		require.Equal(t, http.StatusGatewayTimeout, a.Code, "%s", a)
	}
	require.Equal(t, 5, int(b.Metric("rtbeat_events_acked_total")))
	require.Equal(t, 5, int(b.Metric("rtbeat_libbeat_output_events_acked_total")))
}

func TestOutputKafkaAcks(t *testing.T) {
	t.Parallel()
	k := startCluster(t)
	require.Contains(t, refusesToStart(t, k.settings(map[string]any{"required_acks": 0})), "output.kafka.required_acks is 0: no broker would acknowledge anything")
	b := harness.StartBeat(t, k.settings(map[string]any{"required_acks": 1}))
	require.Contains(t, b.Log.String(), "less than it may seem: output.kafka.required_acks is 1")
	b.Stop()
}
