//go:build e2e

package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// sameUUID are two messages of two devices with the same counter.
const sameUUID = `{"uuid":"1","device":"a","n":1},{"uuid":"1","device":"b","n":1}`

// Two messages with one uuid are two documents. Equal bytes are the same document in every batch and every process, with dedupe
// and without.
func TestTheDocumentIDIsThatOfTheBytes(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	c := harness.NewClient(t)
	for i, dedupe := range []bool{true, false} {
		b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"dedupe.enabled": dedupe}})
		body := "[" + sameUUID + `,{"n":1}]`
		if i > 0 {
			body = `{"messages": [ ` + sameUUID + " , {\"n\":1} ]}\n"
		}
		requireDelivered(t, c.Post(t.Context(), b.Addr, []byte(body)), 3)
		b.Stop()
		var ids []string
		for _, e := range sink.Events()[3*i:] {
			id, err := harness.DocumentIDOf(e.Raw)
			require.NoError(t, err)
			ids = append(ids, id)
		}
		// $ printf '{"uuid":"1","device":"a","n":1}' | sha256sum | head -c 32 | xxd -r -p | basenc --base64url | tr -d =
		require.ElementsMatch(t, []string{"Cn2rrVqt5kNxTQY9L4JMdQ", "5fnEJv9OC6rXSSfVWOuMAw", ""}, ids, "dedupe.enabled: %t", dedupe)
	}
}

// With document_id: uuid, the id is the message's uuid.
func TestTheDocumentIDIsTheUUIDOnRequest(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"document_id": "uuid"}})
	requireDelivered(t, harness.NewClient(t).Post(t.Context(), b.Addr, []byte("["+sameUUID+"]")), 2)
	for _, e := range sink.Events() {
		id, err := harness.DocumentIDOf(e.Raw)
		require.NoError(t, err)
		require.Equal(t, "1", id)
	}
}
