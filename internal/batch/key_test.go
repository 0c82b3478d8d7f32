package batch

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeyIsTheHashOfAMessageWithUUID(t *testing.T) {
	key := func(message string) (Key, bool) {
		b, err := Decode([]byte(`{"messages":[ `+message+` , {}]}`), Options{})
		require.NoError(t, err)
		return b.Messages[0].Key()
	}
	first, ok := key(`{"uuid":"m-1","n":1}`)
	require.True(t, ok)
	again, _ := key(`{"uuid":"m-1","n":1}`)
	require.Equal(t, first, again, "wherever it stands")
	for _, other := range []string{`{"uuid":"m-1","n":2}`, `{"uuid":"m-2","n":1}`, `{"uuid":"m-1", "n":1}`, `{"n":1,"uuid":"m-1"}`} {
		different, ok := key(other)
		require.True(t, ok)
		require.NotEqual(t, first, different, other)
	}
	for _, none := range []string{`{}`, `{"uuid":""}`, `{"uuid":null}`, `{"uuid":7}`, `{"UUID":"m-1"}`} {
		_, ok := key(none)
		require.False(t, ok, none)
	}
}

// Stores hold documents under these ids. With other ids, every retry becomes a copy.
//
//	$ printf '{"uuid":"m-1","n":1}' | sha256sum | head -c 32 | xxd -r -p | basenc --base64url | tr -d =
func TestTheIDOfAMessageNeverChanges(t *testing.T) {
	const message, id = `{"uuid":"m-1","n":1}`, "wRVbsSZRpFh0MFFrseUG1w"
	for _, body := range []string{
		`[` + message + `]`,
		`{"uuid":"b","messages": [ ` + message + ` , {}]}`,
		"\n " + message + "\r\n{}\n",
	} {
		b, err := Decode([]byte(body), Options{Lines: body[0] == '\n'})
		require.NoError(t, err, body)
		key, ok := b.Messages[0].Key()
		require.True(t, ok, body)
		require.Equal(t, id, key.ID(), body)
	}
	require.Equal(t, "AAAAAAAAAAAAAAAAAAAAAA", Key{}.ID())
	require.Equal(t, "-_-_-_-_-_-_-_-_-_-_-w", Key{0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf, 0xfb}.ID(), "safe in URLs")
}

func BenchmarkKey(b *testing.B) {
	batch, err := Decode(rxtxBatch(1), Options{})
	require.NoError(b, err)
	b.SetBytes(int64(len(batch.Messages[0].Raw)))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = batch.Messages[0].Key()
	}
}
