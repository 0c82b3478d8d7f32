package batch

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// keyOf returns the key of the message at an index of the body.
func keyOf(t *testing.T, body string, index int, id Identity) Key {
	t.Helper()
	b, err := Decode([]byte(body), Options{Identity: id})
	require.NoError(t, err)
	return b.Messages[index].Key
}

func TestKeyIsTheHashOfAMessageWithUUID(t *testing.T) {
	key := func(message string) Key {
		return keyOf(t, `{"messages":[ `+message+` , {}]}`, 0, byUUID.Identity)
	}
	first := key(`{"uuid":"m-1","n":1}`)
	require.NotZero(t, first)
	require.Equal(t, first, keyOf(t, `[{},{"uuid":"m-1","n":1}]`, 1, byUUID.Identity), "wherever it stands")
	for _, other := range []string{`{"uuid":"m-1","n":2}`, `{"uuid":"m-2","n":1}`, `{"uuid":"m-1", "n":1}`, `{"n":1,"uuid":"m-1"}`, `{"uuid":7}`} {
		require.NotZero(t, key(other), other)
		require.NotEqual(t, first, key(other), other)
	}
	for _, none := range []string{`{}`, `{"uuid":""}`, `{"uuid":null}`, `{"uuid":true}`, `{"uuid":["m-1"]}`, `{"UUID":"m-1"}`} {
		require.Zero(t, key(none), none)
	}
}

// Each kind of identity has a key of its own, and each key depends on the bytes of the message.
func TestKeyOfEachIdentity(t *testing.T) {
	const message, other = `{"uuid":"m-1","n":1}`, `{"uuid":"m-1","n":2}`
	const anonymous, anotherOne = `{"n":1}`, `{"n":2}`
	keys := map[Key]string{}
	add := func(name string, key Key) {
		t.Helper()
		require.NotZero(t, key, name)
		require.Empty(t, keys[key], name)
		keys[key] = name
	}
	fields := []string{"uuid"}
	for _, body := range []string{message, other} {
		add("field", keyOf(t, "["+body+"]", 0, Identity{Fields: fields}))
		add("field in a scope", keyOf(t, "["+body+"]", 0, Identity{Fields: fields, Scope: "s"}))
		add("field in another scope", keyOf(t, "["+body+"]", 0, Identity{Fields: fields, Scope: "t"}))
	}
	for _, body := range []string{anonymous, anotherOne} {
		add("content", keyOf(t, "["+body+"]", 0, Identity{Fields: fields, Content: true}))
		add("content in a scope", keyOf(t, "["+body+"]", 0, Identity{Content: true, Scope: "s"}))
		add("given", keyOf(t, "["+body+"]", 0, Identity{Fields: fields, Given: "g"}))
		add("the same for another message", keyOf(t, "[{},"+body+"]", 1, Identity{Fields: fields, Given: "g"}))
		add("given by another", keyOf(t, "["+body+"]", 0, Identity{Given: "h"}))
		add("given in a scope", keyOf(t, "["+body+"]", 0, Identity{Given: "g", Scope: "s"}))
	}
	add("a scope that looks like an id", keyOf(t, "["+anonymous+"]", 0, Identity{Given: "s", Scope: "g"}))
	add("the scope takes the id", keyOf(t, "["+anonymous+"]", 0, Identity{Given: "", Scope: "gs", Content: true}))

	require.Equal(t, "field", keys[keyOf(t, "[{},"+message+"]", 1, Identity{Fields: fields, Given: "g", Content: true})], "a field comes before the request")
	require.Equal(t, "given", keys[keyOf(t, "["+anonymous+"]", 0, Identity{Given: "g", Content: true})], "the request comes before the content")
	require.Zero(t, keyOf(t, "["+anonymous+"]", 0, Identity{Fields: fields, Scope: "s"}))
	require.Zero(t, keyOf(t, "["+message+"]", 0, Identity{Fields: fields, Given: "g", Content: true, Off: true}))
}

func TestFieldsOfTheID(t *testing.T) {
	fields := []string{"uuid", "event.id", "a.b.c"}
	for message, want := range map[string]string{
		`{"uuid":"u","event":{"id":"e"}}`:               "u",
		`{"uuid":"","event":{"id":17}}`:                 "17",
		`{"uuid":null,"event":{"id":"e"}}`:              "e",
		`{"event.id":"dotted","event":{"id":"nested"}}`: "dotted",
		`{"event":"id","a":{"b":{"c":1.50}}}`:           "1.5",
		`{"a":{"b.c":"dotted"}}`:                        "dotted",
		`{"a":{"b":"c"}}`:                               "",
		`{"a":[{"b":{"c":1}}]}`:                         "",
	} {
		b, err := Decode([]byte("["+message+"]"), Options{Identity: Identity{Fields: fields, Off: true}})
		require.NoError(t, err)
		require.Equal(t, want, b.Messages[0].ID, message)
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
		b, err := Decode([]byte(body), Options{Lines: body[0] == '\n', Identity: byUUID.Identity})
		require.NoError(t, err, body)
		require.Equal(t, id, b.Messages[0].Key.ID(), body)
	}
	require.Equal(t, id, keyOf(t, "["+message+"]", 0, Identity{Content: true}).ID())

	// These ids hash a kind, lengths and texts before the message: "s", 1, "x"; "g", 0, 3, "key", the index in 8 bytes.
	//
	//	$ (printf 's\001x'; printf '{"n":1}') | sha256sum | head -c 32 | xxd -r -p | basenc --base64url | tr -d =
	//	$ (printf 'g\000\003key\0\0\0\0\0\0\0\001'; printf '{"n":1}') | sha256sum | …
	require.Equal(t, "v0HzFLyOa3X8plvub8hi9Q", keyOf(t, `[{"n":1}]`, 0, Identity{Content: true, Scope: "x"}).ID())
	require.Equal(t, "KIHi5tGxl6gmHVHRJurFmg", keyOf(t, `[{},{"n":1}]`, 1, Identity{Given: "key"}).ID())
	require.Equal(t, "AAAAAAAAAAAAAAAAAAAAAA", Key{}.ID())
	require.Equal(t, "-_-_-_-_-_-_-_-_-_-_-w", Key{0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf, 0xfb}.ID(), "safe in URLs")
}

func BenchmarkKey(b *testing.B) {
	for name, id := range map[string]Identity{"field": byUUID.Identity, "field in a scope": {Fields: []string{"uuid"}, Scope: "s"}, "given": {Given: "g"}} {
		b.Run(name, func(b *testing.B) {
			batch, err := Decode(rxtxBatch(1), Options{})
			require.NoError(b, err)
			keys := keyMaker{Identity: id}
			b.SetBytes(int64(len(batch.Messages[0].Raw)))
			b.ReportAllocs()
			for b.Loop() {
				keys.identify(&batch.Messages[0], 0)
			}
		})
	}
}
