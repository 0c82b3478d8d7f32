package harness

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// DocumentID is rtbeat's document id for a message with a uuid, as docs/delivery.md defines it. It is computed here a second time,
// because it must never change: stores hold documents under these ids.
func DocumentID(message []byte) string {
	sum := sha256.Sum256(message)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// DocumentIDs are the document ids of the messages, in order.
func (b Batch) DocumentIDs() (ids []string) {
	for _, m := range b {
		ids = append(ids, DocumentID(m.Raw))
	}
	return ids
}

// DocumentIDOf returns the document id of an event, or "" if it has none.
func DocumentIDOf(raw json.RawMessage) (string, error) {
	var event struct {
		Metadata struct {
			ID string `json:"_id"`
		} `json:"@metadata"`
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		return "", fmt.Errorf("event is not JSON: %w: %s", err, raw)
	}
	return event.Metadata.ID, nil
}

// RequireDocumentIDs requires that each event has the document id of its message, so that a store keeps one copy.
func (l *Ledger) RequireDocumentIDs(t testing.TB, events []lumbersink.Event) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		id, _, err := MessageOf(e.Raw)
		require.NoError(t, err)
		document, err := DocumentIDOf(e.Raw)
		require.NoError(t, err)
		require.Equal(t, DocumentID(l.sent[id]), document, "@metadata._id of %s", id)
	}
}
