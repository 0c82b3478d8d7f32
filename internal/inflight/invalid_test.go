package inflight_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// A message that is not valid reaches its worker with its failure and the start of its bytes, which do not keep the body in memory.
func TestAnInvalidMessageKeepsItsFailureAndItsBytes(t *testing.T) {
	r := newRig(t)
	body := []byte("{\"uuid\":\"a\"}\nhello\n" + strings.Repeat("x", 2*batch.MaxOriginal) + "\nleft")
	b, err := batch.Decode(body, batch.Options{Lines: true, KeepInvalid: true, Identity: batch.Identity{Fields: []string{"uuid"}}})
	require.NoError(t, err)
	token, err := r.registry.Claim(b.Messages, inflight.Origin{}, open(t, r.admission, int64(len(body))))
	require.NoError(t, err)
	clear(body)

	valid, first, _ := token.Next()
	require.Nil(t, valid.Failure)
	require.Nil(t, valid.Raw)
	m, second, _ := token.Next()
	require.Equal(t, b.Messages[1].Failure, m.Failure)
	require.Equal(t, "hello", string(m.Raw))
	require.Equal(t, map[string]any{}, m.Fields)
	m, third, _ := token.Next()
	require.Equal(t, strings.Repeat("x", batch.MaxOriginal), string(m.Raw))

	// It is deduped like any other.
	again, err := r.registry.Claim(b.Messages, inflight.Origin{}, open(t, r.admission, int64(len(body))))
	require.NoError(t, err)
	require.Equal(t, 4, again.Progress().DedupedInFlight)
	again.Withdraw()
	r.ack(first, second, third)
	token.Withdraw() // the last one, which no worker has taken
	r.requireEmpty()
}
