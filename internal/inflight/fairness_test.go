package inflight_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// group is a group of senders with batches of the same size. Each sender retries a batch until it is delivered.
type group struct {
	senders, messages int

	mu                  sync.Mutex
	delivered, timeouts int
	slowest             time.Duration // from the first attempt
}

func (c *group) note(err error, start time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.timeouts++
		return
	}
	c.delivered++
	c.slowest = max(c.slowest, time.Since(start))
}

// serve lets groups send for a time to an output that takes rate messages a second. No message is deduped.
func serve(t *testing.T, rate int, timeout, d time.Duration, groups ...*group) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		registry := inflight.NewRegistry(inflight.Settings{})
		admission := inflight.NewAdmission(1 << 40)
		go deliver(registry, rate)
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		done := make(chan struct{})
		for _, c := range groups {
			for range c.senders {
				go func() {
					defer func() { done <- struct{}{} }()
					for ctx.Err() == nil {
						c.send(ctx, t, registry, admission, timeout)
					}
				}()
			}
		}
		for _, c := range groups {
			for range c.senders {
				<-done
			}
		}
		registry.CloseQueue()
	})
}

// send sends one batch until it is delivered, or ctx ends.
func (c *group) send(ctx context.Context, t *testing.T, registry *inflight.Registry, admission *inflight.Admission, timeout time.Duration) {
	t.Helper()
	start := time.Now()
	for ctx.Err() == nil {
		reservation, _ := admission.Open(0)
		token, err := registry.Claim(make([]batch.Message, c.messages), inflight.Origin{}, reservation)
		if err != nil {
			t.Error(err)
			return
		}
		token.Publish()
		limited, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), timeout, errTimeout)
		_, err = token.Await(limited)
		cancel()
		c.note(err, start)
		if err == nil {
			time.Sleep(10 * time.Millisecond)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// deliver is a worker, and an output that takes a hundred messages at a time.
func deliver(registry *inflight.Registry, rate int) {
	var window []any
	for b := registry.Take(); b != nil; b = registry.Take() {
		for _, e, ok := b.Next(); ok; _, e, ok = b.Next() {
			e.ReachOutput()
			window = append(window, e)
			if len(window) == 100 {
				time.Sleep(100 * time.Second / time.Duration(rate))
				registry.Ack(window)
				window = nil
			}
		}
	}
}

func TestALargeBatchIsDeliveredInTimeAmongSmallOnes(t *testing.T) {
	large, small := &group{senders: 1, messages: 30_000}, &group{senders: 10, messages: 500}
	serve(t, 20_000, 5*time.Second, 30*time.Second, large, small)
	require.Zero(t, large.timeouts)
	require.GreaterOrEqual(t, large.delivered, 8, "one takes 1.5 seconds without the others")
	require.Zero(t, small.timeouts)
	require.Less(t, small.slowest, 2*time.Second)
}

// Twelve batches of 5,000 take six seconds, and time out after five. In order of arrival, some are delivered.
func TestAnOverloadedOutputDeliversSomeBatches(t *testing.T) {
	all := &group{senders: 12, messages: 5000}
	serve(t, 10_000, 5*time.Second, time.Minute, all)
	require.GreaterOrEqual(t, all.delivered, 20, "%+v", all)
}
