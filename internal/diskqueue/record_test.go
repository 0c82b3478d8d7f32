package diskqueue

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
