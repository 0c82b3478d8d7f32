package message

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
)

func TestLengths(t *testing.T) {
	for size, want := range map[Size]int{Small: 370, Large: 4000} {
		require.InEpsilon(t, want, len(NewBody(100, size).Numbered(100))/100, 0.1)
	}
}

func TestOnlyTheNumbersChange(t *testing.T) {
	body := NewBody(3, Small)
	first := bytes.Clone(body.Numbered(10))
	second := bytes.Clone(body.Numbered(13))
	require.Len(t, second, len(first))
	require.NotEqual(t, first, second)
	require.Equal(t, first, body.Clone().Numbered(10))

	a, err := batch.Decode(first, batch.Options{})
	require.NoError(t, err)
	b, err := batch.Decode(second, batch.Options{})
	require.NoError(t, err)
	seen := map[string]bool{}
	for i := range a.Messages {
		seen[fmt.Sprint(a.Messages[i].Fields["uuid"])], seen[fmt.Sprint(b.Messages[i].Fields["uuid"])] = true, true
		delete(a.Messages[i].Fields, "uuid")
		delete(b.Messages[i].Fields, "uuid")
		require.Equal(t, a.Messages[i].Fields, b.Messages[i].Fields)
	}
	require.Len(t, seen, 6, "a repeated message would be deduped")
}

func TestACloneIsOnesOwn(t *testing.T) {
	body := NewBody(1, Small)
	other := body.Clone()
	mine := bytes.Clone(body.Numbered(1))
	other.Numbered(2)
	require.Equal(t, mine, body.bytes)
}

func TestFieldsAreWhatTheDecoderMakes(t *testing.T) {
	decoded, err := batch.Decode(NewBody(2, Small).Numbered(2), batch.Options{})
	require.NoError(t, err)
	fields, err := NewFields(2)
	require.NoError(t, err)
	uuids := map[string]bool{}
	for i := range 4 {
		got, uuid := fields.Next()
		require.Equal(t, uuid, got["uuid"])
		require.Len(t, uuid, len(fmt.Sprint(decoded.Messages[0].Fields["uuid"])))
		uuids[uuid] = true
		want := decoded.Messages[i%2].Fields
		got["uuid"] = want["uuid"]
		require.Equal(t, want, got)

		payload := got["payload"].(map[string]any)
		payload["reading"] = nil
		payload["location"].(map[string]any)["lat"] = nil
	}
	require.Len(t, uuids, 4)
}
