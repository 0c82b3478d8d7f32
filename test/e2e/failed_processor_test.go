//go:build e2e

package e2e

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// The operator must correct a failing processor. Until then no sender has a 200 for its messages.
func TestAFailedProcessorIsNoDelivery(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	settings := func(ignoreMissing bool) harness.Settings {
		fingerprint := map[string]any{"fields": []string{"rxtxMsg." + secret}, "ignore_missing": ignoreMissing}
		return harness.Settings{Sink: sink.Addr(), Processors: []any{
			map[string]any{
				"if":   map[string]any{"equals": map[string]any{"rxtxMsg.label": "nested"}},
				"then": []any{map[string]any{"move_fields": map[string]any{"from": "nowhere", "to": "x", "ignore_missing": ignoreMissing}}},
			},
			map[string]any{"fingerprint": fingerprint},
		}}
	}
	b := harness.StartBeat(t, settings(false))
	l := harness.NewLedger(t)
	batch := harness.NewBatch("failed", 3)
	nested := harness.NewLabelledBatch("nested", 1, func(int) string { return "nested" })
	for range 3 {
		a := l.Post(t.Context(), b.Addr, batch)
		requireFail(t, a, http.StatusInternalServerError, "processor_failed")
		require.Equal(t, "fingerprint", a.Body.Processor, "%s", a)
		require.Empty(t, a.Header.Get("Retry-After"))
	}
	a := l.Post(t.Context(), b.Addr, nested)
	requireFail(t, a, http.StatusInternalServerError, "processor_failed")
	require.Equal(t, "move_fields", a.Body.Processor, "%s", a)

	require.GreaterOrEqual(t, b.Metric(`rtbeat_processor_failures_total{processor="fingerprint"}`), 3.0)
	require.Equal(t, 1, int(b.Metric(`rtbeat_processor_failures_total{processor="move_fields"}`)))
	require.Zero(t, b.Metric("rtbeat_events_filtered_total"))
	require.Zero(t, b.Metric("rtbeat_in_flight_bytes"))
	require.Equal(t, 2, strings.Count(b.Log.String(), "a processor failed: its events are not published"), "once a minute for each processor")
	require.Zero(t, sink.Received())
	b.Stop()

	mended := harness.StartBeat(t, settings(true))
	requireDelivered(t, l.Post(t.Context(), mended.Addr, batch), len(batch))
	l.CheckOnce(t, sink)
}

// dropSettings drop the messages of a request with the header X-Drop: yes.
func dropSettings(sink string) harness.Settings {
	return harness.Settings{
		Sink:   sink,
		Rtbeat: map[string]any{"timeout": 20, "include_headers": []string{"X-Drop"}},
		Processors: []any{map[string]any{"drop_event": map[string]any{"when": map[string]any{
			"equals": map[string]any{"headers.x-drop": "yes"},
		}}}},
	}
}

// postDrop posts a batch with the header X-Drop.
func postDrop(t *testing.T, b *harness.Beat, body []byte, drop string) <-chan harness.Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.Addr+"/in", bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Drop", drop)
	client, answer := harness.NewClient(t), make(chan harness.Answer, 1)
	go func() { answer <- client.Do(req) }()
	return answer
}

// A processor reads the request. A message dropped for one sender is delivered for another.
func TestWhatIsDroppedForOneSenderIsDeliveredForAnother(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, dropSettings(sink.Addr()))
	batch := harness.NewBatch("same", 2)
	for range 2 { // the second time, the processors run again
		a := <-postDrop(t, b, batch.Body(), "yes")
		requireDelivered(t, a, 2)
		require.Equal(t, []int{2, 0}, []int{a.Body.Filtered, a.Body.Coalesced}, "%s", a)
	}
	require.Zero(t, sink.Received())

	l := harness.NewLedger(t)
	a := l.Post(t.Context(), b.Addr, batch)
	requireDelivered(t, a, 2)
	require.Equal(t, []int{0, 0}, []int{a.Body.Filtered, a.Body.Coalesced}, "%s", a)
	l.CheckOnce(t, sink)
}

// A second sender is deduped while the first sender's message waits for a full queue. The processors drop the message for the
// first sender, and have not seen the second one's request.
func TestADedupedBatchOfAFilteredMessageIsRetried(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	s := dropSettings(sink.Addr())
	s.Queue = map[string]any{"events": 64, "flush.min_events": 32}
	b := harness.StartBeat(t, s)
	l := harness.NewLedger(t)
	var fill []<-chan harness.Answer
	for _, name := range []string{"f1", "f2", "f3", "f4", "f5"} { // more than the workers
		fill = append(fill, l.Go(t.Context(), b.Addr, harness.NewBatch(name, 80)))
	}
	waiting := func(n float64) func() bool {
		return func() bool {
			return b.Metric("rtbeat_batches_received") == n && b.Metric("rtbeat_publish_queue_batches") > 0
		}
	}
	harness.Await(t, prompt, "a full queue", waiting(5))

	batch := harness.NewBatch("same", 2)
	first := postDrop(t, b, batch.Body(), "yes")
	harness.Await(t, prompt, "the first", waiting(6))
	second := postDrop(t, b, batch.Body(), "no")
	harness.Await(t, prompt, "the second has joined", func() bool {
		return b.Metric(`rtbeat_messages_coalesced_total{source="in",state="in_flight"}`) == 2
	})

	harness.RecoverSink(sink)
	a := <-first
	requireDelivered(t, a, 2)
	require.Equal(t, 2, a.Body.Filtered, "%s", a)
	a = <-second
	requireFail(t, a, http.StatusServiceUnavailable, "joined_filtered")
	require.NotEmpty(t, a.Header.Get("Retry-After"))
	for _, answer := range fill {
		requireDelivered(t, <-answer, 80)
	}
	requireDelivered(t, l.Post(t.Context(), b.Addr, batch), 2)
	l.CheckOnce(t, sink)
}
