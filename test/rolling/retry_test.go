//go:build rolling

package rolling

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// A retry at the instance that knows the batch is deduped. A retry at another instance, after the first has left HAProxy's list,
// makes a copy of each message with the same _id.
func TestRetryMeetsTheSameInstanceOrAnother(t *testing.T) {
	t.Parallel()
	w := build(t, variant{delay: "3s"})
	s := newSender(t, 0)
	post := func(ctx context.Context, b harness.Batch) harness.Answer {
		return w.ledger.PostBy(ctx, s.client, w.url, nil, b)
	}
	// giveUp sends a batch that the sink receives and does not acknowledge, and closes the connection. It returns the batch's
	// instance.
	giveUp := func(b harness.Batch) *instance {
		before := w.sink.Received()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		answer := make(chan harness.Answer, 1)
		go func() { answer <- post(ctx, b) }()
		harness.Arrived(t, w.sink, before+len(b))
		cancel()
		require.Error(t, (<-answer).Err)
		name := decode(t, w.sink.Events()[before]).Agent.Name
		for _, i := range w.beats {
			if i.name == name {
				return i
			}
		}
		require.FailNow(t, "an event of no instance", name)
		return nil
	}
	again := func(b harness.Batch) <-chan harness.Answer {
		answer := make(chan harness.Answer, 1)
		go func() { answer <- post(t.Context(), b) }()
		return answer
	}

	w.sink.SetPolicy(lumbersink.Never())
	same := harness.NewBatch("same", 1)
	knows := giveUp(same)
	joined := again(same)
	harness.Await(t, harness.ArriveWithin, "the retry at "+knows.name, func() bool {
		return knows.beat.Metrics()[`rtbeat_messages_coalesced_total{source="in",state="in_flight"}`] == 1
	})
	harness.RecoverSink(w.sink)
	a := <-joined
	require.Equal(t, http.StatusOK, a.Code, "%s", a)
	require.Equal(t, 1, a.Body.Coalesced, "%s", a)
	require.Equal(t, 1, w.sink.Received(), "events of a batch sent twice")

	w.sink.SetPolicy(lumbersink.Never())
	other := harness.NewBatch("other", 1)
	leaves := giveUp(other)
	require.Same(t, knows, leaves, "a sender meets the same instance again")
	leaves.beat.Terminate()
	w.awaitDown(leaves)
	copied := again(other)
	harness.Arrived(t, w.sink, 3)
	harness.RecoverSink(w.sink)
	a = <-copied
	require.Equal(t, http.StatusOK, a.Code, "%s", a)
	require.Zero(t, a.Body.Coalesced, "%s", a)

	w.began = time.Now()
	w.stop = func() {}
	code, _ := leaves.beat.WaitExit(stopWithin)
	require.Zero(t, code)
	w.start(leaves)
	f := w.finish()
	require.Equal(t, 1, f.copies)
}
