//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// half labels every second message as poison.
func half(i int) string { return []string{"keep", "poison"}[i%2] }

// One answer to one bulk request names the refused documents, with or without an _id.
func TestOutputElasticsearchRejectsWithOneRequest(t *testing.T) {
	t.Parallel()
	for name, output := range map[string]map[string]any{
		"default":     nil,
		"drop":        {"non_indexable_policy.drop.enabled": true},
		"with preset": {"preset": "throughput"},
	} {
		for _, documentID := range []string{"uuid", "none"} {
			t.Run(name+", document_id "+documentID, func(t *testing.T) {
				t.Parallel()
				s := startStore(t, refusing("poison", http.StatusBadRequest))
				var requests atomic.Int64
				s.before(func(w http.ResponseWriter, r *http.Request, store http.Handler) {
					requests.Add(1)
					store.ServeHTTP(w, r)
				})
				settings := s.settings(output)
				settings.Rtbeat = map[string]any{"timeout": 30, "document_id": documentID}
				settings.Queue = map[string]any{"flush.timeout": "2s", "flush.min_events": 1000} // one request
				b := harness.StartBeat(t, settings)
				c := harness.NewClient(t)
				a := c.Post(t.Context(), b.Addr, harness.NewLabelledBatch("half", 1000, half).Body())
				t.Logf("%d bulk requests, answer after %s", requests.Load(), a.Took())
				requireRejected(t, a, 1000, 500)
				require.EqualValues(t, 1, requests.Load())
				require.Len(t, append(s.ids("rtbeat"), make([]string, len(s.nameless))...), 500)
				require.Zero(t, s.copies)
				for metric, want := range map[string]int{
					"rtbeat_events_rejected_total":               500,
					"rtbeat_libbeat_output_events_dropped_total": 500,
					"rtbeat_libbeat_output_events_acked_total":   500,
					"rtbeat_libbeat_output_events_failed_total":  0,
					"rtbeat_libbeat_output_events_active":        0,
				} {
					require.Equal(t, want, int(b.Metric(metric)), metric)
				}
				b.Stop()
			})
		}
	}
}

// A sender with partly refused batches stops no other sender, and rtbeat stays ready. The log has the throughput of the good
// senders with and without it.
func TestOutputElasticsearchBadNeighbor(t *testing.T) {
	harness.Long(t)
	keep := func(int) string { return "keep" }
	for _, tt := range []struct {
		name  string
		label func(int) string // of the neighbor's messages; nil means no neighbor
		pause time.Duration    // of the neighbor, between its batches
	}{
		{name: "alone"},
		{"good neighbor that pauses", keep, time.Second},
		{"half refused neighbor that pauses", half, time.Second},
		{"good neighbor that does not pause", keep, 0},
		{"half refused neighbor that does not pause", half, 0},
	} {
		t.Run(tt.name, func(t *testing.T) { beside(t, tt.label, tt.pause) })
	}
}

// beside runs four good senders and a neighbor with batches of 1,000.
func beside(t *testing.T, label func(int) string, pause time.Duration) {
	t.Helper()
	const lasts = 5 * time.Second
	s := startStore(t, refusing("poison", http.StatusBadRequest))
	var requests, delivered, failed, notReady, batches atomic.Int64
	s.before(func(w http.ResponseWriter, r *http.Request, store http.Handler) {
		requests.Add(1)
		time.Sleep(20 * time.Millisecond) // the store's processing time
		store.ServeHTTP(w, r)
	})
	b := harness.StartBeat(t, s.settings(nil))
	stop := make(chan struct{})
	stops := func(after time.Duration) bool {
		select {
		case <-stop:
			return true
		case <-time.After(after):
			return false
		}
	}
	var all sync.WaitGroup
	for sender := range 4 {
		c := harness.NewClient(t)
		all.Go(func() {
			for i := 0; !stops(0); i++ {
				a := c.Post(t.Context(), b.Addr, harness.NewBatch(fmt.Sprintf("%d-%d", sender, i), 25).Body())
				if a.Code == http.StatusOK {
					delivered.Add(25)
				} else if failed.Add(1) == 1 {
					t.Errorf("a good sender: %s", a)
				}
			}
		})
	}
	all.Go(func() {
		for !stops(20 * time.Millisecond) {
			if a := b.Get("/readyz"); a.Code != http.StatusOK && notReady.Add(1) == 1 {
				t.Errorf("/readyz: %s", a)
			}
		}
	})
	if label != nil {
		c := harness.NewClient(t)
		all.Go(func() {
			for i := 0; !stops(pause); i++ {
				a := c.Post(t.Context(), b.Addr, harness.NewLabelledBatch("neighbor-"+strconv.Itoa(i), 1000, label).Body())
				if label(1) == "poison" && (a.Code != http.StatusBadGateway || a.Body.Rejected != 500) {
					t.Errorf("the neighbor: %s", a)
				}
				batches.Add(1)
			}
		})
	}
	time.Sleep(lasts)
	close(stop)
	all.Wait()
	t.Logf("good senders: %.0f messages/s, %d other answers than 200; /readyz: %d other answers; neighbor: %d batches; %d bulk requests",
		float64(delivered.Load())/lasts.Seconds(), failed.Load(), notReady.Load(), batches.Load(), requests.Load())
	b.Stop()
}
