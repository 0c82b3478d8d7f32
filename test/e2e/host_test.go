//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// host is one of several Logstash hosts. It dies and comes back at its address, each time as a new sink.
type host struct {
	t     testing.TB
	addr  string
	opts  []lumbersink.Option
	lives []*lumbersink.Sink
}

func startHost(t testing.TB, opts ...lumbersink.Option) *host {
	t.Helper()
	h := &host{t: t, addr: "127.0.0.1:0", opts: opts}
	h.comeBack()
	t.Cleanup(h.die)
	return h
}

// Sink is the host's current sink.
func (h *host) Sink() *lumbersink.Sink { return h.lives[len(h.lives)-1] }

// die cuts the connections without the pending acknowledgements, and closes the port.
func (h *host) die() {
	h.t.Helper()
	require.NoError(h.t, h.Sink().Close())
}

// comeBack listens again, and returns the time of that.
func (h *host) comeBack() time.Time {
	h.t.Helper()
	sink, err := lumbersink.Listen(h.addr, harness.SinkTimes(h.opts...)...)
	require.NoError(h.t, err)
	h.addr = sink.Addr()
	h.lives = append(h.lives, sink)
	return time.Now()
}

// hang makes the host receive and acknowledge nothing more, and returns once it holds back a window. By then all earlier
// acknowledgements of that connection are written.
func (h *host) hang() {
	h.t.Helper()
	h.Sink().SetPolicy(lumbersink.Never())
	harness.Await(h.t, harness.ArriveWithin, "a window held back", h.holds)
}

// holds says whether the host has pending acknowledgements.
func (h *host) holds() bool {
	acked := h.Sink().Acked()
	return h.Sink().Received() > acked
}

// goesOn waits until the host has received n more events.
func (h *host) goesOn(n int) {
	h.t.Helper()
	harness.Arrived(h.t, h.Sink(), h.Sink().Received()+n)
}

// hostSettings is a load-balanced output with the shipped intervals, and a test's changes. libbeat gives up an event without
// guaranteed delivery at the first failure, and acknowledges it. rtbeat's events are guaranteed.
func hostSettings(rtbeat, output map[string]any, hosts ...*host) harness.Settings {
	addrs := make([]string, len(hosts))
	for i, h := range hosts {
		addrs[i] = h.addr
	}
	s := harness.Settings{Rtbeat: rtbeat, Output: map[string]any{
		"hosts": addrs, "loadbalance": true, "max_retries": 0,
		"backoff.init": backoffInit.String(), "backoff.max": backoffMax.String(),
	}}
	maps.Copy(s.Output, output)
	return s
}

func sinksOf(hosts ...*host) []*lumbersink.Sink {
	var sinks []*lumbersink.Sink
	for _, h := range hosts {
		sinks = append(sinks, h.lives...)
	}
	return sinks
}

// feed is a number of senders that work as rxtx does: one batch after the other, each again until it is answered 200.
type feed struct {
	t       testing.TB
	ledger  *harness.Ledger
	tally   harness.Tally
	senders sync.WaitGroup
	ended   chan struct{} // no new batches
	cancel  context.CancelFunc
}

func startFeed(t testing.TB, b *harness.Beat, senders, messages int) *feed {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &feed{t: t, ledger: harness.NewLedger(t), ended: make(chan struct{}), cancel: cancel}
	for sender := range senders {
		f.senders.Go(func() {
			for n := 0; f.goesOn(ctx); n++ {
				f.deliver(ctx, b.Addr, harness.NewBatch(fmt.Sprintf("feed-%d-%d", sender, n), messages))
				harness.Pause(ctx, feedPause)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		f.senders.Wait()
	})
	return f
}

// feedPause limits the rate, so that the queue fills and not the machine.
const feedPause = 10 * time.Millisecond

func (f *feed) goesOn(ctx context.Context) bool {
	select {
	case <-f.ended:
		return false
	case <-ctx.Done():
		return false
	default:
		return true
	}
}

func (f *feed) deliver(ctx context.Context, addr string, batch harness.Batch) {
	for ctx.Err() == nil {
		a := f.ledger.Post(ctx, addr, batch)
		f.tally.Add(a)
		if a.Err == nil && a.Code == http.StatusOK {
			return
		}
		harness.Pause(ctx, retryPause)
	}
}

// answers is the number of attempts with this code.
func (f *feed) answers(code int) int { return f.tally.Counts()[fmt.Sprint(code)] }

// end waits for every sender's last 200, and checks the contract: nothing lost, no false 200, and no copies except for cut
// connections.
func (f *feed) end(hosts ...*host) {
	f.t.Helper()
	f.stop()
	f.ledger.Check(f.t, sinksOf(hosts...)...)
	events := harness.EventsOf(sinksOf(hosts...)...)
	require.Empty(f.t, f.ledger.Lost(events))
	requireOneAck(f.t, events)
}

// requireOneAck requires that of all copies of a message exactly one was acknowledged. The others were in flight when their
// connection was cut.
func requireOneAck(t testing.TB, events []lumbersink.Event) {
	t.Helper()
	acks := make(map[string]int)
	for _, e := range events {
		id, _, err := harness.MessageOf(e.Raw)
		require.NoError(t, err)
		if !e.Acked.IsZero() {
			acks[id]++
		}
	}
	for id, n := range acks {
		require.Equal(t, 1, n, "acknowledged copies of %s", id)
	}
}

// stop waits for every sender's last 200.
func (f *feed) stop() {
	f.t.Helper()
	close(f.ended)
	done := make(chan struct{})
	go func() {
		f.senders.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		f.cancel() // ends the senders before the test
		<-done
		require.FailNow(f.t, "senders without a 200", "answers %v", f.tally.Counts())
	}
}
