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

// DocumentID is the id that rtbeat gives to the document of a message that has a uuid, as docs/delivery.md says it. It is
// written here once more, because stores hold documents under these ids.
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

// DocumentIDOf takes the id of the document out of an event; it is empty where the event has none.
func DocumentIDOf(raw json.RawMessage) (string, error) {
	var event struct {
		Metadata struct {
			ID string `json:"_id"`
		} `json:"@metadata"`
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		return "", fmt.Errorf("event is no JSON: %w: %s", err, raw)
	}
	return event.Metadata.ID, nil
}

// RequireDocumentIDs demands that each event has the id of the message that was sent, by which a store keeps one copy.
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
