//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

const sameWindow = "the same window is sent again and again"

// rtbeat accepts a message, and a processor makes an event of it that Logstash cannot read: the text of a field becomes an object
// with a key that is too long. Nothing is delivered any more, and the log and the status page say why.
func TestAnEventThatLogstashCannotReadIsNamed(t *testing.T) {
	t.Parallel()
	sink, err := lumbersink.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = sink.Close() }) // it fails at the long key
	b := startDecoding(t, sink)
	client := harness.NewClient(t)
	post := func(messages ...string) harness.Answer {
		return client.Post(t.Context(), b.Addr, []byte(`{"messages":[`+strings.Join(messages, ",")+`]}`))
	}
	withKey := func(uuid string, bytes int) string {
		return fmt.Sprintf(`{"uuid":%q,"text":"{\"%s\":1}"}`, uuid, strings.Repeat("k", bytes))
	}

	require.Equal(t, http.StatusOK, post(withKey("good", 50_000)).Code)
	require.Zero(t, b.Metric("rtbeat_output_window_repeats"))
	require.NotContains(t, notesOf(t, b), "unreadable")

	require.Equal(t, http.StatusGatewayTimeout, post(withKey("bad-1", 10), withKey("bad-2", 60_000), withKey("bad-3", 10)).Code)
	require.ErrorContains(t, sink.Err(), "cannot be read by Logstash: a key of more than 50000 bytes")
	harness.Await(t, 20*time.Second, "repeats", func() bool { return b.Metric("rtbeat_output_window_repeats") >= 3 })
	harness.Await(t, 20*time.Second, "a note on the status page", func() bool {
		return strings.Contains(notesOf(t, b), "one event may be unreadable for Logstash")
	})
	v := statusOf(t, b)
	require.Equal(t, "output", v.Verdict.Fault)
	require.Contains(t, v.Verdict.Advice[0], "one event may be unreadable")
	entry, found := b.Log.Find(sameWindow)
	require.True(t, found)
	// The three messages may be in up to three windows. The line names the window with bad-2.
	require.Contains(t, []any{"bad-1", "bad-2"}, entry.Fields["first_uuid"], entry.Line)
	require.Contains(t, []any{"bad-2", "bad-3"}, entry.Fields["last_uuid"], entry.Line)
	require.NotContains(t, entry.Line, "kkkk")
	for _, event := range sink.Events() {
		require.NotContains(t, string(event.Raw), `"bad-2"`)
	}
}

// Lost connections and a stalled Logstash do not point to such an event.
func TestOrdinaryFaultsNameNoEvent(t *testing.T) {
	t.Parallel()
	// Without keep-alives the output closes a stalled connection, and sends the window again.
	sink, err := lumbersink.Listen("127.0.0.1:0", lumbersink.WithKeepAlive(time.Hour), lumbersink.WithIdleTimeout(0), lumbersink.WithQuietPeriod(0))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sink.Close()) })
	b := startDecoding(t, sink)
	l := harness.NewLedger(t)
	for i := range 3 {
		sink.SetPolicy(lumbersink.CutAfter(1))
		require.Equal(t, http.StatusOK, l.Post(t.Context(), b.Addr, harness.NewBatch(fmt.Sprintf("cut-%d", i), 2)).Code)
	}
	sink.SetPolicy(lumbersink.Never())
	received := sink.Received()
	require.Equal(t, http.StatusGatewayTimeout, l.Post(t.Context(), b.Addr, harness.NewBatch("stalled", 2)).Code)
	for sink.Received() < received+2*6 { // the output times out, and sends again
		harness.Arrived(t, sink, sink.Received()+1)
		require.Less(t, b.Metric("rtbeat_output_window_repeats"), 3.0)
		require.NotContains(t, notesOf(t, b), "unreadable")
	}
	harness.RecoverSink(sink)
	require.Equal(t, http.StatusOK, l.Post(t.Context(), b.Addr, harness.NewBatch("stalled", 2)).Code)
	require.Zero(t, b.Metric("rtbeat_output_window_repeats"))
	_, found := b.Log.Find(sameWindow)
	require.False(t, found)
	l.Check(t, sink)
}

// startDecoding starts rtbeat with a processor that makes an object of the text of a field.
func startDecoding(t *testing.T, sink *lumbersink.Sink) *harness.Beat {
	t.Helper()
	return harness.StartBeat(t, harness.Settings{
		Sink:       sink.Addr(),
		Rtbeat:     map[string]any{"timeout": 2, "admin": map[string]any{"host": "127.0.0.1", "port": freePort(t)}},
		Output:     map[string]any{"timeout": "1s", "backoff.init": "50ms", "backoff.max": "100ms"},
		Processors: []any{map[string]any{"decode_json_fields": map[string]any{"fields": []string{"rxtxMsg.text"}}}},
	})
}

func notesOf(t *testing.T, b *harness.Beat) string {
	t.Helper()
	return strings.Join(statusOf(t, b).Verdict.Notes, "\n")
}
