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

// Headers that are copied into each event count for as much: else the queue is written further than it was looked after,
// and durable mode, which cannot vouch for that, ends.
func TestDurableCopiedHeadersCount(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := startDurable(t, harness.Settings{Home: t.TempDir(), Sink: sink.Addr(), Rtbeat: map[string]any{
		"include_headers": []string{"X-Big"}, "max_in_flight_bytes": 2 << 20,
	}})
	client := harness.NewClient(t)
	post := func(messages int) harness.Answer {
		body := "[" + strings.Repeat("{},", messages-1) + "{}]"
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.Addr+"/in", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Big", strings.Repeat("x", 7000))
		return client.Do(req)
	}
	requireFail(t, post(3000), http.StatusRequestEntityTooLarge, "batch_too_large")
	for range 20 {
		requirePersisted(t, post(200), 200)
	}
	harness.Await(t, prompt, "all events at the sink", func() bool { return sink.Received() == 4000 })
}

// The deepest message that may be configured is carried by the disk queue, too; one level more is the sender's mistake.
func TestDurableDeepestMessage(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := startDurable(t, harness.Settings{Home: t.TempDir(), Sink: sink.Addr(), Rtbeat: map[string]any{"max_depth": 990}})
	client := harness.NewClient(t)
	deep := func(levels int) []byte {
		return []byte("[" + strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels) + "]")
	}
	requirePersisted(t, client.Post(t.Context(), b.Addr, deep(990)), 1)
	requireFail(t, client.Post(t.Context(), b.Addr, deep(991)), http.StatusBadRequest, "too_deep")
	harness.Await(t, prompt, "the event at the sink", func() bool { return sink.Received() == 1 })
	require.True(t, bytes.Contains(sink.Events()[0].Raw, bytes.Trim(deep(990), "[]")))
}
