package diskqueue

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// The JSON keys of a header do not change: a queue of an earlier rtbeat must be readable, also by an earlier rtbeat again.
func TestHeaderFormat(t *testing.T) {
	const stored = `{"Origin":{"Received":"2026-11-30T12:00:00Z","ClientIP":"192.0.2.1","Headers":{"x-a":"b"},"Trace":{"ID":"","SpanID":""}},"Lines":true,"Messages":3,"Weight":12,"Known":[0,2]}`
	header := Header{
		Origin: inflight.Origin{Received: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), ClientIP: "192.0.2.1", Headers: map[string]string{"x-a": "b"}},
		Lines:  true, Messages: 3, Weight: 12, Skip: []int{0, 2},
	}
	written, err := json.Marshal(header)
	require.NoError(t, err)
	require.JSONEq(t, stored, string(written))

	value := make([]byte, fixedBytes)
	binary.BigEndian.PutUint64(value[8:], 12)
	binary.BigEndian.PutUint32(value[16:], uint32(len(stored)))
	value = slices.Concat(value, []byte(stored), []byte("the body"))
	binary.BigEndian.PutUint64(value, checksum(17, value))
	read, err := decode(17, value)
	require.NoError(t, err)
	require.Equal(t, Record{Header: header, Body: []byte("the body")}, read)
}

// The identity is stored, and makes the keys of the intake again.
func TestTheIdentityIsStored(t *testing.T) {
	body := []byte(`[{"uuid":"a"},{"id":7},{"n":1}]`)
	for stored, id := range map[string]batch.Identity{
		`{"scope":"s","fields":["uuid","id"],"content":true}`: {Scope: "s", Fields: []string{"uuid", "id"}, Content: true},
		`{"fields":["id"],"given":"\u003cg"}`:                 {Fields: []string{"id"}, Given: "<g"},
		`{}`:                                                  {Off: true},
	} {
		accepted, err := batch.Decode(body, batch.Options{Identity: id})
		require.NoError(t, err)
		record := Record{Header: Header{Identity: &id, Messages: 3}, Body: body}
		value, err := record.encode(1)
		require.NoError(t, err)
		require.LessOrEqual(t, int64(len(value)-len(body)), record.headerBytes())
		require.Contains(t, string(value), `"Identity":`+stored)
		loaded, err := decode(1, value)
		require.NoError(t, err)
		again, err := loaded.Decode()
		require.NoError(t, err)
		require.Equal(t, accepted, again)
	}
}

// A record of an earlier version has no identity. The uuid was one then, if it was a string, and a batch could have other keys.
func TestARecordWithoutAnIdentity(t *testing.T) {
	record := Record{Body: []byte(`{"v":1,"messages":[{"uuid":"a"},{"uuid":7},{"n":1}],"w":{}}`)}
	b, err := record.Decode()
	require.NoError(t, err)
	require.Len(t, b.Messages, 3)
	require.Equal(t, "a", b.Messages[0].ID)
	require.NotZero(t, b.Messages[0].Key)
	for _, m := range b.Messages[1:] {
		require.Empty(t, m.ID)
		require.Zero(t, m.Key)
	}
}

// A batch with messages that are not valid is loaded as it was accepted, by the limits of that time.
func TestInvalidMessagesAreStored(t *testing.T) {
	body := []byte("{\"a\":1}\nhello\n{\"a\":[[1]]}\n{\"long\":1}\n{\"a\":{}}")
	options := batch.Options{Lines: true, KeepInvalid: true, MaxDepth: 2, MaxKeyBytes: 3, Identity: batch.Identity{Given: "g"}}
	accepted, err := batch.Decode(body, options)
	require.NoError(t, err)
	require.Len(t, accepted.Messages, 5)
	require.NotNil(t, accepted.Messages[2].Failure)
	require.NotNil(t, accepted.Messages[3].Failure)
	record := Record{Body: body}
	record.SetFormat(options)
	value, err := record.encode(1)
	require.NoError(t, err)
	require.Contains(t, string(value), `"KeepInvalid":{"MaxDepth":2,"MaxKeyBytes":3}`)
	loaded, err := decode(1, value)
	require.NoError(t, err)
	again, err := loaded.Decode()
	require.NoError(t, err)
	require.Equal(t, accepted, again)

	line, n, err := (&ExportedBatch{Record: loaded}).AppendLine(nil)
	require.NoError(t, err)
	require.Equal(t, 5, n)
	posted, err := batch.Decode(line, batch.Options{})
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"error": map[string]any{"message": "byte 8, line 2, message 1: unexpected character"}, "event": map[string]any{"original": "hello"},
	}, posted.Messages[1].Fields)
}
