package batch

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecodeRefuses(t *testing.T) {
	type want struct {
		reason Reason
		offset int64 // -1 for the length of the body
		index  int
		msg    string
	}
	truncated := want{MalformedJSON, -1, -1, msgTruncated}

	for _, c := range []struct {
		name string
		body string
		want want
	}{
		{"no body", "", want{EmptyBody, 0, -1, "the body is empty"}},
		{"white space", " \r\n\t", want{EmptyBody, 4, -1, "the body is empty"}},

		{"cut in the object", `{`, truncated},
		{"cut in a key", `{"messages`, truncated},
		{"cut before the colon", `{"messages"`, truncated},
		{"cut after the colon", `{"messages": `, truncated},
		{"cut in the array", `{"messages":[`, truncated},
		{"cut after a message", `{"messages":[{}`, truncated},
		{"cut after a comma", `{"messages":[{}, `, truncated},
		{"cut after the array", `{"messages":[{}] `, truncated},
		{"cut in a literal", `{"messages":nul`, truncated},
		{"cut in a message", `{"messages":[{},{"a":`, want{MalformedJSON, -1, 1, msgTruncated}},
		{"cut in a number", `{"messages":[{"a":-`, want{MalformedJSON, -1, 0, msgTruncated}},
		{"cut in a fraction", `{"messages":[{"a":1.`, want{MalformedJSON, -1, 0, msgTruncated}},
		{"cut in an exponent", `{"messages":[{"a":1e+`, want{MalformedJSON, -1, 0, msgTruncated}},
		{"cut in an escape", `{"messages":[{"a":"\u00`, want{MalformedJSON, -1, 0, msgTruncated}},
		{"cut in a surrogate pair", `{"messages":[{"a":"\ud83d\ude`, want{MalformedJSON, -1, 0, msgTruncated}},
		{"cut in a character", "{\"messages\":[{\"a\":\"\xf0\x9f\x98", want{MalformedJSON, -1, 0, msgTruncated}},

		{"no JSON", `hello`, want{MalformedJSON, 0, -1, msgCharacter}},
		{"a byte order mark behind white space", " \ufeff{}", want{MalformedJSON, 1, -1, msgBOM}},
		{"replacement character", "\ufffd", want{MalformedJSON, 0, -1, msgCharacter}},
		{"UTF-16", "\xff\xfe{\x00}\x00", want{MalformedJSON, 0, -1, msgUTF8}},
		{"bad literal", `{"messages":nulL}`, want{MalformedJSON, 15, -1, msgCharacter}},
		{"bad literal in a message", `{"messages":[{"a":tru3}]}`, want{MalformedJSON, 21, 0, msgCharacter}},
		{"bad literal for a message", `{"messages":[{},falsy]}`, want{MalformedJSON, 20, 1, msgCharacter}},
		{"bad literal for the body", `nil`, want{MalformedJSON, 1, -1, msgCharacter}},
		{"leading zero", `{"messages":[{"a":01}]}`, want{MalformedJSON, 19, 0, msgCharacter}},
		{"leading plus", `{"messages":[{"a":+1}]}`, want{MalformedJSON, 18, 0, msgCharacter}},
		{"no digit after the point", `{"messages":[{"a":1.}]}`, want{MalformedJSON, 20, 0, msgCharacter}},
		{"not a number", `{"messages":[{"a":NaN}]}`, want{MalformedJSON, 18, 0, msgNaN}},
		{"single quotes", `{'messages':[]}`, want{MalformedJSON, 1, -1, msgCharacter}},
		{"no colon", `{"messages" []}`, want{MalformedJSON, 12, -1, msgCharacter}},
		{"no comma", `{"messages":[{} {}]}`, want{MalformedJSON, 16, -1, msgCharacter}},
		{"trailing comma in the array", `{"messages":[{},]}`, want{MalformedJSON, 15, -1, msgCharacter}},
		{"trailing comma in a message", `{"messages":[{"a":1,}]}`, want{MalformedJSON, 19, 0, msgCharacter}},
		{"leading comma", `{,"messages":[]}`, want{MalformedJSON, 1, -1, msgCharacter}},
		{"wrong bracket", `{"messages":[{"a":[1}]}`, want{MalformedJSON, 20, 0, msgCharacter}},
		{"no value", `{"messages":}`, want{MalformedJSON, 12, -1, msgCharacter}},
		{"key that is a number", `{"messages":[{1:2}]}`, want{MalformedJSON, 14, 0, msgName}},
		{"key that is an object", `{{"a":1}:2}`, want{MalformedJSON, 1, -1, msgName}},
		{"comment", `{"messages":[]/**/}`, want{MalformedJSON, 14, -1, msgCharacter}},
		{"bad escape", `{"messages":[{"a":"b\x41"}]}`, want{MalformedJSON, 20, 0, msgEscape}},
		{"bad escape in a key", `{"\q":1,"messages":[]}`, want{MalformedJSON, 2, -1, msgEscape}},
		{"bad hex escape", `{"messages":[{"a":"\u00g0"}]}`, want{MalformedJSON, 19, 0, msgEscape}},
		{"high surrogate alone", `{"messages":[{"a":"\ud83d"}]}`, want{MalformedJSON, 19, 0, msgEscape}},
		{"high surrogate and a letter", `{"messages":[{"a":"\ud83d\u0041"}]}`, want{MalformedJSON, 19, 0, msgEscape}},
		{"low surrogate alone", `{"messages":[{"a":"x\ude00 long enough"}]}`, want{MalformedJSON, 20, 0, msgEscape}},
		{"control character", "{\"messages\":[{\"a\":\"x\ny\"}]}", want{MalformedJSON, 20, 0, msgControl}},
		{"invalid UTF-8", "{\"messages\":[{\"a\":\"x\xffy\"}]}", want{MalformedJSON, 20, 0, msgUTF8}},
		{"overlong UTF-8", "{\"messages\":[{\"a\":\"\xc0\x80\"}]}", want{MalformedJSON, 19, 0, msgUTF8}},
		{"surrogate in UTF-8", "{\"messages\":[{\"a\":\"\xed\xa0\x80\"}]}", want{MalformedJSON, 19, 0, msgUTF8}},
		{"invalid UTF-8 in a key", "{\"messages\":[{\"\xff\":1}]}", want{MalformedJSON, 15, 0, msgUTF8}},
		{"invalid UTF-8 ignored", "{\"uuid\":[\"\xff\"],\"messages\":[]}", want{MalformedJSON, 10, -1, msgUTF8}},

		{"key twice", `{"messages":[{},{"a":1,"b":2,"a":1}]}`, want{MalformedJSON, 29, 1, msgDuplicate}},
		{"key twice by an escape", `{"messages":[{"a":1, "\u0061":2}]}`, want{MalformedJSON, 21, 0, msgDuplicate}},
		{"key twice, nested", `{"messages":[{"a":[{"b":1,"b":null}]}]}`, want{MalformedJSON, 26, 0, msgDuplicate}},
		{"messages twice", `{"messages":[],"messages":[]}`, want{MalformedJSON, 15, -1, msgDuplicate}},
		{"key twice, ignored", `{"uuid":{"b":1,"b":1},"messages":[]}`, want{MalformedJSON, 15, -1, msgDuplicate}},

		{"trailing garbage", `{"messages":[]} x`, want{MalformedJSON, 16, -1, msgTrailing}},
		{"trailing bracket", `{"messages":[]}}`, want{MalformedJSON, 15, -1, msgTrailing}},
		{"a second batch", `{"messages":[]} {"messages":[]}`, want{WrongShape, 16, -1, msgAmong}},
		{"a batch and a message", "{\"messages\":[]} \n {\"a\":1}", want{WrongShape, 18, -1, msgAmong}},
		{"a batch and an array", `{"messages":[]}[]`, want{WrongShape, 15, -1, msgAmong}},
		{"a batch and a number", `{"messages":[]}17`, want{MalformedJSON, 15, -1, msgTrailing}},
		{"a message and a batch", `{"a":1}{"messages":[{}],"size":1}`, want{WrongShape, 7, -1, msgAmong}},
		{"an array and a batch", `[] {"messages":null}`, want{WrongShape, 3, -1, msgAmong}},
		{"a message cut", `{"a":1}{"b"`, want{MalformedJSON, -1, 1, msgTruncated}},
		{"the first message cut", `{"messages":[{}],"a"`, want{MalformedJSON, -1, 0, msgTruncated}},
		{"a comma between values", `{"a":1},{"b":2}`, want{MalformedJSON, 7, 1, msgTrailing}},
		{"a number behind a message", `{"a":1} 17`, want{WrongShape, 8, 1, "a message is no object"}},
		{"a message broken behind an array", `[{},{}]{"a":01}`, want{MalformedJSON, 13, 2, msgCharacter}},
		{"a comma at the end of a batch", `{"messages":[],}`, want{MalformedJSON, 14, -1, msgCharacter}},
		{"gzip", "\x1f\x8b\x08\x00", want{MalformedJSON, 0, -1, "the body is gzip data, which Content-Encoding must say"}},
		{"zstd", "\x28\xb5\x2f\xfd", want{MalformedJSON, 0, -1, "the body is zstd data, which Content-Encoding must say"}},
		{"a byte order mark between values", "{\"a\":1}\n\ufeff{\"a\":2}", want{MalformedJSON, 8, 1, msgBOM}},
		{"two byte order marks", "\ufeff\ufeff{}", want{MalformedJSON, 3, -1, msgBOM}},
		{"a byte order mark alone", "\ufeff \n", want{EmptyBody, 5, -1, "the body is empty"}},
		{"infinity", `[{"a":-Infinity}]`, want{MalformedJSON, 7, 0, msgNaN}},
		{"half a surrogate pair, ignored", `{"uuid":["\ud83d"],"messages":[]}`, want{MalformedJSON, 10, -1, msgEscape}},
		{"key that is a number, ignored", `{"uuid":{1:2},"messages":[]}`, want{MalformedJSON, 9, -1, msgName}},
		{"wrong bracket, ignored", `{"uuid":[[1},"messages":[]}`, want{MalformedJSON, 11, -1, msgCharacter}},
		{"number ignored", `{"uuid":[01],"messages":[]}`, want{MalformedJSON, 10, -1, msgCharacter}},
		{"array, then more", `[{}] x`, want{MalformedJSON, 5, 1, msgTrailing}},
		{"array cut", `[{},`, truncated},
		{"array cut in a message", `[{},{"a"`, want{MalformedJSON, -1, 1, msgTruncated}},
		{"array with a trailing comma", `[{},]`, want{MalformedJSON, 3, -1, msgCharacter}},
		{"array with a leading comma", `[,{}]`, want{MalformedJSON, 1, -1, msgCharacter}},
		{"key twice in an array", `[{},{"a":1,"a":2}]`, want{MalformedJSON, 11, 1, msgDuplicate}},
		{"trailing zero byte", "{\"messages\":[]}\x00", want{MalformedJSON, 15, -1, msgTrailing}},

		{"array of a number", ` [{"a":1}, 1]`, want{WrongShape, 11, 1, "a message is no object"}},
		{"array of an array", `[[{"a":1}]]`, want{WrongShape, 1, 0, "a message is no object"}},
		{"array of null", `[null]`, want{WrongShape, 1, 0, "a message is no object"}},
		{"null", `null`, want{WrongShape, 0, -1, "the body is no JSON object and no array"}},
		{"string", `"messages"`, want{WrongShape, 0, -1, "the body is no JSON object and no array"}},
		{"message null", `{"messages":[{}, null]}`, want{WrongShape, 17, 1, "a message is no object"}},
		{"message an array", `{"messages":[[]]}`, want{WrongShape, 13, 0, "a message is no object"}},
		{"message a string", `{"messages":[{},{},"{}"]}`, want{WrongShape, 19, 2, "a message is no object"}},
		{"size a string", `{"size":"0","messages":[]}`, want{WrongShape, 8, -1, "size is no number"}},
		{"size true", `{"size": true,"messages":[]}`, want{WrongShape, 9, -1, "size is no number"}},

		{
			"size too large", `{"size":2,"messages":[{}]}`,
			want{SizeMismatch, 8, -1, "size is 2, but the number of messages is 1"},
		},
		{
			"size too small, after", `{"messages":[{},{}],"size": 1}`,
			want{SizeMismatch, 28, -1, "size is 1, but the number of messages is 2"},
		},
		{
			"size negative", `{"size":-1,"messages":[{}]}`,
			want{SizeMismatch, 8, -1, "size is -1, but the number of messages is 1"},
		},
		{
			"size with a fraction", `{"size":1.50,"messages":[{}]}`,
			want{SizeMismatch, 8, -1, "size is 1.5, but the number of messages is 1"},
		},
		{
			"size of 64 bits", `{"size":18446744073709551615,"messages":[]}`,
			want{SizeMismatch, 8, -1, "size is 18446744073709551615, but the number of messages is 0"},
		},
		{
			"size beyond 64 bits", `{"size":18446744073709551616,"messages":[]}`,
			want{SizeMismatch, 8, -1, "size is a number beyond 64 bits, but the number of messages is 0"},
		},
		{
			"size and null", `{"size":1,"messages":null}`,
			want{SizeMismatch, 8, -1, "size is 1, but the number of messages is 0"},
		},

		{"too deep by arrays", `{"messages":[{"a":` + strings.Repeat("[", DefaultMaxDepth), want{TooDeep, 18 + DefaultMaxDepth - 1, 0, ""}},
		{
			"too deep by objects", `{"messages":[{},{"a":` + strings.Repeat(`{"a":`, DefaultMaxDepth),
			want{TooDeep, 21 + 5*(DefaultMaxDepth-1), 1, ""},
		},
		{"too deep, ignored", `{"uuid":` + strings.Repeat("[", 1<<20), want{TooDeep, 8 + DefaultMaxDepth, -1, ""}},
		{"too deep for the body", strings.Repeat("[", 1<<20), want{TooDeep, 1 + DefaultMaxDepth, 0, ""}},
		{"too deep for a message", `{"messages":` + strings.Repeat("[", 1<<20), want{TooDeep, 13 + DefaultMaxDepth, 0, ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Decode([]byte(c.body), Options{})
			require.Zero(t, got)
			var e *Error
			require.ErrorAs(t, err, &e)
			if c.want.offset < 0 {
				c.want.offset = int64(len(c.body))
			}
			if c.want.reason == TooDeep {
				c.want.msg = fmt.Sprintf("nested deeper than %d levels", DefaultMaxDepth)
			}
			require.Zero(t, e.Line)
			require.Equal(t, c.want, want{e.Reason, e.Offset, e.Index, e.Msg})
		})
	}
}

// The error names the position of the cut, for every cut of a body.
func TestDecodeRefusesEveryPrefix(t *testing.T) {
	body := []byte(`{"size":2,"messages":[{"a":"\ud83d\ude00é","b":[-1.5e+3,true,null]},{"c":{"d":""}}],"uuid":0}`)
	_, err := Decode(body, Options{})
	require.NoError(t, err)
	for n := 1; n < len(body); n++ {
		_, err := Decode(body[:n], Options{})
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, MalformedJSON, e.Reason, "%s", body[:n])
		require.Equal(t, int64(n), e.Offset, "%s", body[:n])
		require.Equal(t, msgTruncated, e.Msg)
	}
}

func TestErrorText(t *testing.T) {
	for want, e := range map[string]Error{
		"the body is empty":             {Reason: EmptyBody, Offset: 3, Index: -1, Msg: "the body is empty"},
		"byte 17: unexpected character": {Reason: MalformedJSON, Offset: 17, Index: -1, Msg: msgCharacter},
		"byte 17, line 2, message 0: invalid UTF-8": {
			Reason: MalformedJSON, Offset: 17, Line: 2, Index: 0, Msg: msgUTF8,
		},
		"byte 17, message 0: invalid UTF-8": {Reason: MalformedJSON, Offset: 17, Index: 0, Msg: msgUTF8},
	} {
		require.EqualError(t, &e, want)
	}
}
