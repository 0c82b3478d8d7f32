//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// As in rtbeat.yml. TestShippedBackoff compares them.
const (
	backoffInit = 500 * time.Millisecond
	backoffMax  = 4 * time.Second
)

func TestShippedBackoff(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"rtbeat.yml", "rtbeat.reference.yml"} {
		text, err := os.ReadFile(filepath.Join(harness.RepoRoot, file))
		require.NoError(t, err)
		require.Contains(t, string(text), fmt.Sprintf("\n  backoff.init: %s\n  backoff.max: %s\n", backoffInit, backoffMax), file)
	}
}

// patient is a timeout that no test reaches: a 504 is an error.
var patient = map[string]any{"timeout": 25}

// One of three hosts dies with a window unacknowledged. The other hosts deliver it, and no sender notices. The host is used again
// when it is back.
func TestHostDiesAndComesBack(t *testing.T) {
	t.Parallel()
	dying, second, third := startHost(t), startHost(t), startHost(t)
	b := harness.StartBeat(t, hostSettings(patient, nil, dying, second, third))
	f := startFeed(t, b, 6, 20)
	for _, h := range []*host{dying, second, third} {
		h.goesOn(100)
	}

	dying.hang() // so that a window is at risk
	dying.die()
	second.goesOn(500)
	third.goesOn(500)

	back := dying.comeBack()
	harness.Arrived(t, dying.Sink(), 1)
	took := time.Since(back)
	t.Logf("the host received again %s after its return", took.Round(time.Millisecond))
	require.Less(t, took, backoffMax+slack)

	f.end(dying, second, third)
	require.Len(t, f.tally.Counts(), 1, "every batch was answered 200: %v", f.tally.Counts())
}

// Both hosts are down for a while: senders have errors, and 200s again soon after the first host is back.
func TestAllHostsGoneAndOneBack(t *testing.T) {
	t.Parallel()
	first, second := startHost(t), startHost(t)
	b := harness.StartBeat(t, hostSettings(map[string]any{"timeout": 1}, nil, first, second))
	f := startFeed(t, b, 4, 20)
	first.goesOn(100)

	// Only held windows are lost with the connections. All other acknowledgements have arrived before.
	first.Sink().SetPolicy(lumbersink.Never())
	second.Sink().SetPolicy(lumbersink.Never())
	harness.Await(t, 20*time.Second, "a 504 for each sender", func() bool { return f.answers(http.StatusGatewayTimeout) >= 4 })
	first.die()
	second.die()
	// Long enough for the intervals to reach their maximum.
	harness.Await(t, 30*time.Second, "more of them", func() bool { return f.answers(http.StatusGatewayTimeout) >= 20 })
	delivered := f.answers(http.StatusOK)

	back := first.comeBack()
	harness.Await(t, backoffMax+slack, "a 200 after the return", func() bool { return f.answers(http.StatusOK) > delivered })
	t.Logf("the first 200 came %s after the return of one host", time.Since(back).Round(time.Millisecond))
	f.end(first, second)
}

// A host receives, never acknowledges, and keeps its connection alive: the output's timeout does not end that. Acknowledgements
// follow the order of the queue, so those of the other host behind it are not confirmed either. Retries are not sent to the other
// host twice. rtbeat reports a stalled output.
func TestHungHostHoldsBackTheOthers(t *testing.T) {
	t.Parallel()
	const outputTimeout = time.Second
	hung, well := startHost(t, lumbersink.WithKeepAlive(outputTimeout/10)), startHost(t)
	// With small windows the hung host cannot have a part of every batch.
	b := harness.StartBeat(t, hostSettings(map[string]any{"timeout": 1, "stall_after": "2s"},
		map[string]any{"timeout": outputTimeout.String(), "bulk_max_size": 5}, hung, well))
	f := startFeed(t, b, 6, 20)
	hung.goesOn(100)
	well.goesOn(100)

	hung.hang()
	harness.Await(t, 20*time.Second, "a 504 for a batch that the other host has acknowledged", func() bool {
		return answeredAfterAck(t, f.ledger, well.Sink(), http.StatusGatewayTimeout)
	})
	delivered := f.answers(http.StatusOK)
	harness.Await(t, 20*time.Second, "the last 200 from before", func() bool { // it may still be in flight
		before := delivered
		harness.Pause(t.Context(), outputTimeout)
		delivered = f.answers(http.StatusOK)
		return delivered == before
	})
	harness.Pause(t.Context(), 3*outputTimeout) // nothing may happen in this time
	require.Equal(t, delivered, f.answers(http.StatusOK), "200s while the host hangs")
	require.True(t, hung.holds(), "the connection was not cut")
	require.Equal(t, http.StatusServiceUnavailable, b.Get("/readyz").Code)
	news := harness.NewBatch("news", 1)
	refused := f.ledger.Post(t.Context(), b.Addr, news)
	require.Equal(t, "output_stalled", refused.Body.Reason, "%s", refused)

	hung.die()
	cut := time.Now()
	harness.Await(t, prompt, "a 200 without the host", func() bool { return f.answers(http.StatusOK) > delivered })
	t.Logf("the first 200 came %s after the hung host was gone; answers %v", time.Since(cut).Round(time.Millisecond), f.tally.Counts())
	require.Equal(t, http.StatusOK, b.Get("/readyz").Code)
	requireDelivered(t, f.ledger.Post(t.Context(), b.Addr, news), len(news))
	f.end(hung, well)
}

// answeredAfterAck says whether an attempt had this answer although a sink had acknowledged all of its messages before.
func answeredAfterAck(t testing.TB, l *harness.Ledger, sink *lumbersink.Sink, code int) bool {
	t.Helper()
	acked := make(map[string]time.Time)
	for _, e := range sink.Events() {
		id, _, err := harness.MessageOf(e.Raw)
		require.NoError(t, err)
		if _, ok := acked[id]; !ok && !e.Acked.IsZero() {
			acked[id] = e.Acked
		}
	}
attempts:
	for _, a := range l.Attempts() {
		if !a.Ended || a.Answer.Code != code {
			continue
		}
		for _, id := range a.IDs {
			if at, ok := acked[id]; !ok || !at.Before(a.Answer.At) {
				continue attempts
			}
		}
		return true
	}
	return false
}

// The output's timeout closes the connection to a silent host, and the other hosts receive its windows. The silent host is tried
// again and again, because it still accepts connections. Each time its windows wait for the timeout, and all are answered 200.
func TestSilentHostIsCutOff(t *testing.T) {
	t.Parallel()
	const outputTimeout = time.Second
	silent, well := startHost(t, lumbersink.WithKeepAlive(time.Hour), lumbersink.WithIdleTimeout(0)), startHost(t)
	b := harness.StartBeat(t, hostSettings(patient, map[string]any{"timeout": outputTimeout.String()}, silent, well))
	f := startFeed(t, b, 6, 20)
	silent.goesOn(100)
	well.goesOn(100)

	silent.hang()
	held := silent.Sink().Received()
	delivered := f.answers(http.StatusOK)
	harness.Await(t, 20*time.Second, "a 200 in spite of the silent host", func() bool { return f.answers(http.StatusOK) > delivered+6 })
	harness.Await(t, 20*time.Second, "the silent host is tried again", func() bool { return silent.Sink().Received() > held })

	silent.die() // the last batches must not wait for it
	f.end(silent, well)
	require.Len(t, f.tally.Counts(), 1, "every batch was answered 200: %v", f.tally.Counts())
}

// Without loadbalance one host is used until it fails, then another one until that one fails.
func TestFailover(t *testing.T) {
	t.Parallel()
	first, second := startHost(t), startHost(t)
	b := harness.StartBeat(t, hostSettings(patient, map[string]any{"loadbalance": false}, first, second))
	f := startFeed(t, b, 4, 20)
	harness.Await(t, harness.ArriveWithin, "events at one of the hosts", func() bool { return first.Sink().Received()+second.Sink().Received() > 0 })
	if second.Sink().Received() > 0 {
		first, second = second, first
	}

	first.goesOn(200)
	require.Zero(t, second.Sink().Received(), "events at the spare host")
	first.hang()
	first.die()
	died := time.Now()
	harness.Arrived(t, second.Sink(), 1)
	t.Logf("the spare host received %s after the death of the other", time.Since(died).Round(time.Millisecond))

	first.comeBack()
	second.goesOn(500)
	require.Zero(t, first.Sink().Received(), "events at the host that is back")
	second.hang()
	second.die()
	harness.Arrived(t, first.Sink(), 1)

	f.end(first, second)
	require.Len(t, f.tally.Counts(), 1, "every batch was answered 200: %v", f.tally.Counts())
}
