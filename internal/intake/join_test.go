package intake

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	ab = `{"messages":[{"uuid":"a"},{"uuid":"b"}]}`
	bc = `{"messages":[{"uuid":"b"},{"uuid":"c"}]}`
)

func TestARetryAfterA504WaitsForTheFirstAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		first := r.start(r.request(ab))
		job := r.take()
		job.handOver(2)
		first.requireAnswer(ackTimeout)

		again := r.start(r.request(ab))
		again.requireWaiting()
		require.Zero(t, r.registry.QueueLength(), "nothing to publish")
		job.ack(1)
		require.Contains(t, again.requireAnswer(ackTimeout), `"messages":2,"coalesced":2,"filtered":0,"acked":1`)

		third := r.start(r.request(bc))
		news := r.take()
		news.deliver()
		third.requireWaiting()
		job.ack(1)
		require.JSONEq(t, `{"status":"OK","ack":"delivered","messages":2,"coalesced":1,"filtered":0}`, third.requireAnswer(delivered))

		last := r.do(r.request(ab))
		require.JSONEq(t, `{"status":"OK","ack":"delivered","messages":2,"coalesced":2,"filtered":0}`, last.requireAnswer(delivered))
		require.Zero(t, last.took)
		require.Equal(t, 3, number(r.metrics.dedupedInFlight))
		require.Equal(t, 2, number(r.metrics.dedupedDelivered))
	})
}

func TestAStalledOutputIsA503AtOnceForNewMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.server.advance(phaseServing)
		readyz := func() *call {
			req := r.request("")
			req.Method, req.URL.Path = http.MethodGet, "/readyz"
			return r.do(req)
		}
		first := r.start(r.request(ab))
		job := r.take()
		job.handOver(2)
		first.requireAnswer(ackTimeout)
		<-time.After(25*time.Second - 1)
		readyz().requireAnswer(ready)
		<-time.After(1250 * time.Millisecond)

		require.Contains(t, readyz().requireAnswer(stalled), `"setting":"rtbeat.stall_after","age_seconds":31.2}`)
		news := r.do(r.request(bc))
		require.Contains(t, news.requireAnswer(outputStalled), `"age_seconds":31.2}`)
		require.Zero(t, news.took)
		r.requireUntouched()

		repeated := r.start(r.request(ab))
		repeated.requireWaiting()
		job.ack(1)
		readyz().requireAnswer(ready)
		job.ack(1)
		repeated.requireAnswer(delivered)
		r.server.Leave()
		readyz().requireAnswer(leaving)
	})
}
