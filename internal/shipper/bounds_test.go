package shipper

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
)

// Beyond maxRetries nothing is delivered from memory either: it may fail as well.
func TestTheRetriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		r.work(r.ack)
		settle()
		for range maxRetries {
			r.shipper.retries.add(attempt{}, time.Now().Add(time.Hour))
		}
		r.store(numbered(0))
		settle()
		r.requirePublished()
		require.Equal(t, 1, r.close())
	})
}

// Batches that come later do not keep the room from a retry of a large batch.
func TestALargeRetryIsNotStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		hasFailed := false
		r.work(func(n string, e *inflight.EventAck) {
			if n == "large" && !hasFailed {
				hasFailed = true
				e.Drop(inflight.ErrUnpublishable)
				return
			}
			e.Enter()
			time.AfterFunc(50*time.Millisecond, func() { r.registry.Ack([]any{e}) })
		})
		r.store(`{"uuid":"large","n":"large","pad":"` + strings.Repeat("x", 2*limit) + `"}`)
		settle()
		for n := range 100 {
			r.store(numbered(n))
			time.Sleep(10 * time.Millisecond)
		}
		require.Equal(t, 2, r.count()["large"])
		time.Sleep(time.Second)
		settle()
		require.Len(t, r.count(), 101)
		require.Zero(t, r.close())
	})
}
