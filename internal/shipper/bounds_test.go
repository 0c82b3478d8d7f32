package shipper

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
)

// At maxRetries no batch is delivered from memory: it might fail as well.
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

// Later batches do not keep the memory from a retry of a large batch.
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
			e.ReachOutput()
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

// A failed read of the queue is retried, also without a new batch.
func TestAFailedReadIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.store(numbered(0), numbered(1))
		require.Equal(t, 1, r.close())

		r = reopen(t, r.dir)
		segments, err := filepath.Glob(filepath.Join(r.dir, "*.db"))
		require.NoError(t, err)
		require.Len(t, segments, 1)
		require.NoError(t, os.Rename(segments[0], segments[0]+".away"))
		r.run()
		r.work(r.ack)
		settle()
		require.Len(t, r.log.all(), 1)
		require.NoError(t, os.Rename(segments[0]+".away", segments[0]))
		time.Sleep(10 * time.Second)
		settle()
		r.requirePublished("0", "1")
		require.Zero(t, r.close())
	})
}

// Retries do not delay the first attempt of batches on the disk.
func TestRetriesAndOthersAlternate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.shipper.behind.Store(true) // none is delivered from memory
		for n := range 10 {
			r.store(numbered(n))
		}
		for range 10 {
			r.shipper.retries.add(attempt{failures: 1}, time.Now().Add(-time.Hour))
		}
		retried := 0
		for range 8 {
			a, ok, _ := r.shipper.tryNext()
			require.True(t, ok)
			retried += a.failures
		}
		require.Equal(t, 4, retried)
		require.Equal(t, 10, r.close())
	})
}
