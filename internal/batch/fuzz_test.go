package batch

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

// FuzzDecode holds every promise of the package against any body. The body is decoded as it is, and once more
// with a marker planted at some place, which no error may repeat.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		``, ` `, `null`, `[]`, `{}`, `{"messages":null}`, `{"messages":[]}`,
		`{"uuid":"b","size":1,"messages":[{"uuid":"m","a.b":[1,-0,1.50,1e999,18446744073709551616,null,true]}]}`,
		`{"messages":[{"a":"\ud83d\ude00\u00e9\n\\","":{"b":{},"c":[[]]}}],"size":1.0}`,
		`{"messages":[{"a":1,"a":2}]}`, `{"messages":[{"a":"\ud83d"}]}`, "{\"messages\":[{\"a\":\"\xff\"}]}",
		`{"messages":[1]}`, `{"messages":[{}],"size":"1"}`, `{"messages":[{}],"size":2}`, `{"messages":[{}]}x`,
		"\xef\xbb\xbf{}", `{"messages":[{"a":` + strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth) + `}]}`,
	} {
		f.Add([]byte(body), uint16(13))
	}
	f.Add(rxtxBatch(2), uint16(100))

	f.Fuzz(func(t *testing.T, body []byte, at uint16) {
		scratch := bytes.Clone(body)
		got, err := Decode(scratch)
		if !bytes.Equal(scratch, body) {
			t.Fatal("the body was changed")
		}
		for i := range scratch {
			scratch[i] = '#' // what was decoded must not notice
		}
		if err == nil {
			checkSuccess(t, body, got)
		} else {
			checkFailure(t, body, got, err)
		}

		const marker = "ZQXJ"
		if bytes.Contains(body, []byte(marker)) {
			return
		}
		i := int(at) % (len(body) + 1)
		planted := slices.Concat(body[:i], []byte(marker), body[i:])
		if _, err := Decode(planted); err != nil && strings.Contains(err.Error(), marker) {
			t.Fatalf("the error repeats the body: %v", err)
		}
	})
}

func checkSuccess(t *testing.T, body []byte, got Batch) {
	t.Helper()
	if !json.Valid(body) {
		t.Fatal("accepted what is not JSON")
	}
	if err := checkModel(body, got); err != nil {
		t.Fatal(err)
	}
}

func checkFailure(t *testing.T, body []byte, got Batch, err error) {
	t.Helper()
	if got.Messages != nil || got.NumbersAsStrings != 0 {
		t.Fatal("a batch beside an error")
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("an error of type %T", err)
	}
	if e.Offset < 0 || e.Offset > int64(len(body)) || e.Index < -1 || e.Msg == "" {
		t.Fatalf("no such place: %+v", e)
	}
	switch e.Reason {
	case EmptyBody, MalformedJSON:
		// What encoding/json repairs in silence is all that may be malformed here and valid there.
		strict := e.Msg == msgDuplicate || e.Msg == msgEscape || e.Msg == msgUTF8
		if json.Valid(body) && !strict {
			t.Fatalf("refused valid JSON: %v", e)
		}
	case SizeMismatch:
		if !json.Valid(body) {
			t.Fatalf("counted the messages of what is not JSON: %v", e)
		}
	case WrongShape, TooDeep:
	default:
		t.Fatalf("no such reason: %q", e.Reason)
	}
}
