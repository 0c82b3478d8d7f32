package intake

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
)

func TestThe200FollowsTheLastAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := r.start(r.request(messages(3)))
		job := r.take()
		c.requireWaiting()

		for range 3 {
			job.handOver(1)
			c.requireWaiting()
		}
		for range 2 {
			<-time.After(time.Second)
			job.ack(1)
			c.requireWaiting()
		}
		whole, _ := weigh(messages(3))
		require.Equal(t, whole, r.admission.Used(), "held until the last ack")
		<-time.After(time.Second)
		job.ack(1)

		require.JSONEq(t, `{"status":"OK","ack":"delivered","messages":3,"coalesced":0,"filtered":0}`, c.requireAnswer(delivered))
		require.Equal(t, 3*time.Second, c.took)
		r.requireDelivered(3 * time.Second)
		r.requireAnswers("200 delivered")
	})
}

func TestTheWholeBatchIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		body := `{"uuid":"b1","size":2,"messages":[{"uuid":"m1","n":18446744073709551616},{"uuid":"m2"}]}`
		c := r.start(r.request(body))
		job := r.take()
		job.deliver()
		c.requireAnswer(delivered)
		require.Equal(t, time.Now().UTC(), job.Received)
		require.Equal(t, "192.0.2.1", job.ClientIP, "the peer without its port")
		require.Equal(t, "m1", job.messages[0].ID)
		require.Equal(t, map[string]any{"uuid": "m2"}, job.messages[1].Fields)
		require.Equal(t, []int{len(body), 1, 2, 1}, []int{number(r.metrics.bytes), number(r.metrics.batches), number(r.metrics.messages), number(r.metrics.asStrings)})
	})
}

func TestAnEmptyBatchIsDeliveredAtOnce(t *testing.T) {
	for _, body := range []string{`{"messages":[]}`, `{"messages":null}`, `{"size":0,"messages":[]}`} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			c := r.do(r.request(body))
			require.JSONEq(t, `{"status":"OK","ack":"delivered","messages":0,"coalesced":0,"filtered":0}`, c.requireAnswer(delivered))
			require.Zero(t, c.took)
			r.requireUntouched()
		})
	}
}

func TestAnEventThatCannotBeProcessedIsA500(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := r.start(r.request(messages(3)))
		job := r.take()
		job.handOver(2)
		job.event().Drop(inflight.ErrUnpublishable)
		c.requireAnswer(panicked)
		require.Zero(t, c.took, "at once")
		job.ack(1)
	})
}

func TestAFailedProcessorIsA500ThatNamesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := r.start(r.request(messages(3)))
		job := r.take()
		job.handOver(1)
		_, event, _ := job.Next()
		event.Drop(&inflight.ProcessorError{Processor: "fingerprint"})
		require.Contains(t, c.requireAnswer(processorFailed), `,"processor":"fingerprint"}`)
		require.Zero(t, c.took, "at once")
		r.requireDelivered()
		job.ack(1)
	})
}

func TestFilteredEventsAreDoneAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := r.start(r.request(messages(3)))
		job := r.take()
		job.filter()
		job.handOver(2)
		job.ack(1)
		c.requireWaiting()
		job.ack(1)
		require.JSONEq(t, `{"status":"OK","ack":"delivered","messages":3,"coalesced":0,"filtered":1}`, c.requireAnswer(delivered))
	})
}

// A batch of filtered messages alone does not wait for the output.
func TestAWhollyFilteredBatchIsAnsweredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		before := r.start(r.request(messages(1)))
		job := r.take()
		job.handOver(1)
		c := r.start(r.request(messages(2)))
		filtered := r.take()
		filtered.filter()
		filtered.filter()
		require.JSONEq(t, `{"status":"OK","ack":"delivered","messages":2,"coalesced":0,"filtered":2}`, c.requireAnswer(delivered))
		require.Zero(t, c.took)
		before.requireWaiting()
		job.ack(1)
		before.requireAnswer(delivered)
	})
}

func TestA504AtTheTimeoutKeepsTheBytesUntilTheAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := r.start(r.request(messages(4)))
		job := r.take()
		job.filter()
		job.handOver(3)
		job.ack(1)
		<-time.After(5*time.Second - time.Nanosecond)
		c.requireWaiting()
		<-time.After(time.Nanosecond)

		body := c.requireAnswer(ackTimeout)
		require.Equal(t, 5*time.Second, c.took)
		require.Contains(t, body, `"messages":4,"coalesced":0,"filtered":1,"acked":2`)
		require.EqualValues(t, 2*messageWeight, r.admission.Used(), "the answer does not give back what the output still has")
		require.Equal(t, 2, r.registry.Events())
		r.requireDelivered()
		r.requireAnswers("504 ack_timeout")

		job.ack(2)
		r.requireAtRest()
	})
}

func TestTheTimeoutRunsFromTheEndOfTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		hook(&r.metrics.batches, func() { time.Sleep(2 * time.Second) }) // as long as a large body takes to decode
		c := r.do(r.request(messages(1)))
		c.requireAnswer(ackTimeout)
		require.Equal(t, 5*time.Second, c.took)
	})
}

func TestA504WithdrawsMessagesThatNoWorkerHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		body := messages(4)
		c := r.start(r.request(body))
		job := r.take()
		job.handOver(1)
		c.requireAnswer(ackTimeout)
		require.Equal(t, 3, number(r.metrics.withdrawn))
		job.requireNoMore(t)
		require.EqualValues(t, messageWeight, r.admission.Used())

		job.ack(1)
		r.requireAtRest()
	})
}

func TestASenderThatLeavesGetsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, leave := context.WithCancel(t.Context())
		c := r.start(r.request(messages(3)).WithContext(ctx))
		job := r.take()
		job.handOver(1)
		<-time.After(time.Second)
		leave()
		c.wait()
		require.Equal(t, http.ErrAbortHandler, c.panicked, "net/http must not write a 200 for it")
		require.Equal(t, time.Second, c.took)
		require.Empty(t, c.recorder.Body.String())
		require.Empty(t, c.recorder.Header())
		require.Equal(t, 2, number(r.metrics.withdrawn))
		r.requireAnswers("499 client_gone")

		job.ack(1)
		r.requireAtRest()
	})
}

func TestDrainEndsWaitingRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx := r.server.http.BaseContext(nil)
		c := r.start(r.request(messages(2)).WithContext(ctx))
		job := r.take()
		job.handOver(1)
		c.requireWaiting()
		require.ErrorIs(t, within(t, r.drain(time.Second)), errBudget)
		c.requireAnswer(stopping)
		require.Equal(t, time.Second, c.took)
		require.Equal(t, 1, number(r.metrics.withdrawn))
		r.requireAnswers("503 stopping")
		job.ack(1)
	})
}

func TestBatchesAfterDrainAreRefusedUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		require.NoError(t, r.server.Drain(t.Context()))
		body := strings.NewReader(messages(1))
		r.do(r.chunked(body).WithContext(r.server.http.BaseContext(nil))).requireLastAnswer(stopping)
		require.Equal(t, len(messages(1)), body.Len(), "bytes left")
		r.requireUntouched()
	})
}

func TestASealedRegistryIsA503(t *testing.T) {
	t.Run("before the batch is claimed", func(t *testing.T) {
		r := newRig(t)
		r.seal()
		r.do(r.request(messages(1))).requireAnswer(stopping)
		r.requireUntouched()
	})
	t.Run("while the batch waits, and acks after it are none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			c := r.start(r.request(messages(2)))
			job := r.take()
			job.handOver(2)
			c.requireWaiting()
			r.seal()
			job.ack(2)
			c.requireAnswer(stopping)
			require.Zero(t, c.took)
		})
	})
}

func TestAnEventDroppedOnPublishIsA503AtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := r.start(r.request(messages(4)))
		job := r.take()
		job.handOver(2)
		job.event().Drop(inflight.ErrDropped)
		c.requireAnswer(stopping)
		require.Zero(t, c.took)
		require.Equal(t, 2, number(r.metrics.withdrawn))
		require.EqualValues(t, messageWeight, r.admission.Used(), "one of the two is in the pipeline still")

		job.ack(1)
		r.requireAtRest()
		r.requireAnswers("503 stopping")
	})
}
