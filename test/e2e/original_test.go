//go:build e2e

package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// The files that the original rtbeat ships run unchanged: docs/migrating.md. The event has the original's fields, and /metrics the
// original's names. Only addresses differ here.
func TestTheFilesOfTheOriginalRtbeatRunUnchanged(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"rtbeat.yml", "rtbeat.reference.yml"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			s := startStore(t, nil)
			path, err := filepath.Abs(filepath.Join("testdata", "original", file))
			require.NoError(t, err)
			b := harness.StartBeatArgs(t, t.TempDir(), "-c", path, "-E", "rtbeat.host=127.0.0.1", "-E", "rtbeat.port=0",
				"-E", `output.elasticsearch.hosts=["`+s.server.URL+`"]`)
			batch := harness.NewBatch("original", 3)
			requireDelivered(t, harness.NewClient(t).Post(t.Context(), b.Addr, batch.Body()), 3)

			for name, want := range map[string]float64{
				"rtbeat_batches_received": 1, "rtbeat_messages_parsed": 3, "rtbeat_acks_received": 3, "rtbeat_current_acks": 1,
			} {
				require.GreaterOrEqual(t, b.Metric(name), want, name)
			}
			s.requireEvents(t, batch)
			b.Stop()
		})
	}
}

// requireEvents requires one document for each message in the only index, with the fields of the original.
func (s *store) requireEvents(t *testing.T, batch harness.Batch) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Len(t, s.docs, 1)
	for index, docs := range s.docs {
		require.True(t, strings.HasPrefix(index, "rtbeat-"), index)
		require.Len(t, docs, len(batch))
		for _, m := range batch {
			var event struct {
				Type, ClientIP string
				Message        json.RawMessage `json:"rxtxMsg"`
			}
			require.NoError(t, json.Unmarshal(docs[harness.DocumentID(m.Raw)], &event))
			require.Equal(t, "rtbeat", event.Type)
			require.Equal(t, "127.0.0.1", event.ClientIP)
			require.JSONEq(t, string(m.Raw), string(event.Message))
		}
	}
}
