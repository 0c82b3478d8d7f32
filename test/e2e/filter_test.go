//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// Dropped events are no failure, and the answer counts them.
func TestFilteredEventsAreCountedInTheAnswer(t *testing.T) {
	t.Parallel()
	const messages = 12
	tests := []struct {
		name string
		drop []int
	}{
		{"at the head", []int{0, 1, 2}},
		{"at the tail", []int{9, 10, 11}},
		{"in the middle", []int{4, 7}},
		{"all but the first", []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		{"all but the last", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{"every one", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		{"none", nil},
	}
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Processors: []any{
		map[string]any{"drop_event": map[string]any{"when": map[string]any{
			"equals": map[string]any{"rxtxMsg.label": "noise"},
		}}},
	}})
	l := harness.NewLedger(t)

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			batch := harness.NewLabelledBatch(tt.name, messages, func(i int) string {
				if slices.Contains(tt.drop, i) {
					return "noise"
				}
				return "signal"
			})
			for _, i := range tt.drop {
				l.WillDrop(batch[i].ID)
			}
			a := l.Post(t.Context(), b.Addr, batch)
			requireDelivered(t, a, messages)
			require.Equal(t, len(tt.drop), a.Body.Filtered, "%s", a)
			require.Less(t, a.Took(), prompt, "a dropped event needs no wait")
		})
	}
	l.CheckOnce(t, sink)
}

// A batch with all events dropped needs no acknowledgement, also while the output is stalled by earlier batches.
func TestFilteredBatchBehindAStalledOne(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, harness.Settings{
		Sink:   sink.Addr(),
		Rtbeat: map[string]any{"timeout": 20},
		Processors: []any{map[string]any{"drop_event": map[string]any{"when": map[string]any{
			"equals": map[string]any{"rxtxMsg.label": "noise"},
		}}}},
	})
	l := harness.NewLedger(t)

	kept := harness.NewBatch("kept", 1)
	first := l.Go(t.Context(), b.Addr, kept)
	harness.Arrived(t, sink, len(kept))
	var answers []<-chan harness.Answer
	for i := range 4 {
		noise := harness.NewLabelledBatch(fmt.Sprintf("noise-%d", i), 3, func(int) string { return "noise" })
		for _, m := range noise {
			l.WillDrop(m.ID)
		}
		answers = append(answers, l.Go(t.Context(), b.Addr, noise))
	}
	for _, answer := range answers {
		a := <-answer
		requireDelivered(t, a, 3)
		require.Equal(t, 3, a.Body.Filtered, "%s", a)
	}
	require.Zero(t, b.Metric("rtbeat_acks_received"), "the output is still stalled")

	harness.RecoverSink(sink)
	requireDelivered(t, <-first, len(kept))
	l.CheckOnce(t, sink)
}

// extract_array of libbeat panics at a null, which any sender may send. Only that batch fails, not the process.
func TestProcessorThatPanicsFailsOneBatch(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Processors: []any{
		map[string]any{"extract_array": map[string]any{
			"field": "rxtxMsg.list", "mappings": map[string]any{"first": 0}, "ignore_missing": true, "fail_on_error": false,
		}},
	}})
	l := harness.NewLedger(t)
	c := harness.NewClient(t)
	for range 3 { // a sender repeats it
		a := c.Post(t.Context(), b.Addr, []byte(`{"messages":[{"list":null}]}`))
		require.NoError(t, a.Err)
		require.Equal(t, http.StatusInternalServerError, a.Code, "%s", a)
	}
	requireDelivered(t, l.Post(t.Context(), b.Addr, harness.NewBatch("sound", 3)), 3)
	require.Zero(t, b.Metric("rtbeat_in_flight_bytes"))
	line, found := b.Log.Find("panic in a processor")
	require.True(t, found, "no log line")
	require.Equal(t, "extract_array", line.Fields["processor"])
	l.CheckOnce(t, sink)
}
