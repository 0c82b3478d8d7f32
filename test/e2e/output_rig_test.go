//go:build e2e

package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// quick is a short timeout, for tests with a 504.
var quick = map[string]any{"timeout": 2}

// idsOf are the uuids of the messages in encoded events, in order.
func idsOf(t testing.TB, events ...[]byte) (ids []string) {
	t.Helper()
	for _, raw := range events {
		id, _, err := harness.MessageOf(raw)
		require.NoError(t, err, "%s", raw)
		ids = append(ids, id)
	}
	return ids
}

// ids are the uuids of batches, in order.
func ids(batches ...harness.Batch) (ids []string) {
	for _, b := range batches {
		for _, m := range b {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// message is one message with a uuid and more fields.
func message(id string, fields map[string]any) harness.Message {
	all := map[string]any{"uuid": id}
	maps.Copy(all, fields)
	raw, err := json.Marshal(all)
	if err != nil {
		panic(err) // plain values do not fail
	}
	return harness.Message{ID: id, Raw: raw}
}

// requireRejected requires the answer to a partly rejected batch.
func requireRejected(t testing.TB, a harness.Answer, messages, rejected int) {
	t.Helper()
	require.NoError(t, a.Err)
	require.Equal(t, http.StatusBadGateway, a.Code, "%s", a)
	require.Equal(t, "output_rejected", a.Body.Reason, "%s", a)
	require.Equal(t, []int{messages, messages - rejected, rejected}, []int{a.Body.Messages, a.Body.Acked, a.Body.Rejected}, "%s", a)
	require.NotEmpty(t, a.Header.Get("Retry-After"), "%s", a)
}
