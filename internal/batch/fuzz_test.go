package batch

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// FuzzDecode checks the rules of the package with any body and any options. It decodes the body as it is, and again with a
// marker in it, which no error may repeat.
func FuzzDecode(f *testing.F) {
	deep := strings.Repeat("[", DefaultMaxDepth) + strings.Repeat("]", DefaultMaxDepth)
	for _, body := range []string{
		``, ` `, `null`, `[]`, `{}`, `{"messages":null}`, `{"messages":[]}`,
		`{"uuid":"b","size":1,"messages":[{"uuid":"m","a.b":[1,-0,1.50,1e999,18446744073709551616,null,true]}]}`,
		`{"messages":[{"a":"\ud83d\ude00\u00e9\n\\","":{"b":{},"c":[[]]}}],"size":1.0}`,
		`{"messages":[{"a":1,"a":2}]}`, `{"messages":[{"a":"\ud83d"}]}`, "{\"messages\":[{\"a\":\"\xff\"}]}",
		`{"messages":[1]}`, `{"messages":[{}],"size":"1"}`, `{"messages":[{}],"size":2}`, `{"messages":[{}]}x`,
		"\xef\xbb\xbf{}", `{"messages":[{"a":` + deep + `}]}`,
		`[{},{"uuid":1e999}]`, `[{"a":1}`, `[[]]`, `{"v":{"":{"":0,"b":[]}},"messages":[{}]}`, "{}\n{}",
	} {
		f.Add([]byte(body), uint16(13), false, uint8(0), uint16(0))
	}
	for _, body := range []string{
		`{"a":1}{"b":2} [{}][{}]`, "\ufeff{}\n[{}]", `{"messages":[{}],"a":1}`, `{"messages":[1],"a":1}`, `{"messages":[{}]}{}`, `{}{"messages":[]}`,
		`{"messages":[{},{},{}],"":1}`, `{"uuid":1}`, `{"size":"x","messages":[]}`, `{"messages":[{"a":1,"a":2}],"b":1}`, "\x1f\x8b\b", `{"messages":7}`,
	} {
		f.Add([]byte(body), uint16(13), false, uint8(2), uint16(0))
	}
	f.Add([]byte("{\"a\":1}\r\n\n{}"), uint16(3), true, uint8(2), uint16(1))
	f.Add([]byte(`[{},{},{}]`), uint16(3), false, uint8(2), uint16(1))
	f.Add([]byte(`[{"a":[[[[`), uint16(3), false, uint8(2), uint16(3))
	f.Add(rxtxBatch(2), uint16(100), false, uint8(2), uint16(2))

	f.Fuzz(func(t *testing.T, body []byte, at uint16, lines bool, most uint8, depth uint16) {
		o := Options{Lines: lines, MaxMessages: int(most), MaxDepth: int(depth), Identity: byUUID.Identity}
		scratch := bytes.Clone(body)
		got, err := decodeCharged(t, scratch, o)
		if !bytes.Equal(scratch, body) {
			t.Fatal("the body was changed")
		}
		for i := range scratch {
			scratch[i] = '#' // decoded messages must not change
		}
		if err == nil {
			checkSuccess(t, body, o, got)
		} else {
			checkFailure(t, body, o, got, err)
		}

		const marker = "ZQXJ"
		if bytes.Contains(body, []byte(marker)) {
			return
		}
		i := int(at) % (len(body) + 1)
		planted := slices.Concat(body[:i], []byte(marker), body[i:])
		if _, err := Decode(planted, o); err != nil && strings.Contains(err.Error(), marker) {
			t.Fatalf("the error repeats the body: %v", err)
		}
	})
}

// FuzzLines compares NDJSON with its lines. The body is valid if each line is; otherwise the error names the first line that is not.
func FuzzLines(f *testing.F) {
	for _, body := range []string{
		"", "\n", " \r\n\t\n", "{}", "{}\n", "{}\r\n{}", "{}\n\n{\"a\":1}\n", "{\n}", "{\"a\":\"x\ny\"}", "{} {}\n{}", "{}[{},{}]{}\n[{}]",
		"[]\n", "null", "{\"a\":1e999,\"uuid\":\"b\"}\n{\"uuid\":1e999}", "{\"a\":\"\\ud83d\n\\ude00\"}", "{}\n{\"a\":1,\"a\":2}",
		",{}\n{}", ":{}", "{},\n{}", "\ufeff{}\n{}", "{}\n\ufeff{}", "\ufeff\n{}", "{}\v\n{}", "{}\u00a0\n", rxtxMessage(1) + "\n" + rxtxMessage(2),
		"{\"a\":" + strings.Repeat("[", DefaultMaxDepth) + "\n{}", "{\"messages\":[]}\n{\"messages\":null}", "\x1f\x8b\n", "{}\n\x1f\x8b",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o := Options{Lines: true, Identity: byUUID.Identity}
		got, err := decodeCharged(t, body, o)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("an error of type %T", err)
		}
		var n, start int
		blank := true
		for number, line := range bytes.Split(body, []byte("\n")) {
			from := start
			start += len(line) + 1
			if number > 0 {
				line = slices.Concat([]byte(" "), line) // not at the start of a body
				from--
			}
			alone, err := Decode(line, o)
			var aloneErr *Error
			if errors.As(err, &aloneErr) && aloneErr.Reason == EmptyBody {
				continue
			}
			blank = false
			if aloneErr != nil {
				index := aloneErr.Index
				if index >= 0 {
					index += n
				}
				if e == nil || e.Reason != aloneErr.Reason || e.Index != index || e.Line != number+1 || e.Offset != int64(from)+aloneErr.Offset {
					t.Fatalf("line %d (%q) is to blame, not %v", number+1, line, e)
				}
				return
			}
			if _, err := modelSequence(bytes.TrimPrefix(line, byteOrderMark), false); err != nil {
				t.Fatalf("line %d: %v", number+1, err)
			}
			for _, m := range alone.Messages {
				if e == nil && len(got.Messages) <= n {
					t.Fatalf("line %d is missing", number+1)
				}
				if e == nil {
					if err := sameMessage(got.Messages[n], m); err != nil {
						t.Fatalf("line %d: %v", number+1, err)
					}
				}
				n++
			}
		}
		switch {
		case blank && (e == nil || e.Reason != EmptyBody):
			t.Fatalf("no line, but %v", err)
		case !blank && e != nil:
			t.Fatalf("every line is valid, but %v", err)
		case !blank && len(got.Messages) != n:
			t.Fatalf("%d messages in the body, %d in its lines", len(got.Messages), n)
		}
	})
}

// sameMessage compares the parts that do not depend on earlier messages.
func sameMessage(got, want Message) error {
	a, b := fmt.Sprintf("%#v", got.Fields), fmt.Sprintf("%#v", want.Fields)
	if a != b || got.ID != want.ID || got.Key != want.Key || !bytes.Equal(got.Raw, want.Raw) {
		return fmt.Errorf("%s instead of %s", a, b)
	}
	return nil
}

// decodeCharged is Decode with a Charge, which must not change the result. It checks the weights.
func decodeCharged(t *testing.T, body []byte, o Options) (Batch, error) {
	t.Helper()
	plain, plainErr := Decode(body, o)
	var charged int64
	var last bool
	o.Charge = func(n int64) error {
		if n <= 0 || last {
			t.Fatalf("charged %d, last %t", n, last)
		}
		last = n < chargeStep
		charged += n
		return nil
	}
	got, err := Decode(body, o)
	if fmt.Sprint(err) != fmt.Sprint(plainErr) || len(got.Messages) != len(plain.Messages) {
		t.Fatalf("%v without a charge, %v with it", plainErr, err)
	}
	var weights int64
	for i := range got.Messages {
		m := &got.Messages[i]
		if m.Weight < len(m.Raw) || m.Weight < perMessage/heapFactor || m.Weight != plain.Messages[i].Weight {
			t.Fatalf("message %d of %d bytes weighs %d, %d without a charge", i, len(m.Raw), m.Weight, plain.Messages[i].Weight)
		}
		if sum := sha256.Sum256(m.Raw); m.ID != "" && m.Key != Key(sum[:len(Key{})]) {
			t.Fatalf("message %d has the key %x", i, m.Key)
		}
		weights += int64(m.Weight)
	}
	if paid := int64(len(body)) + charged; err == nil && paid < weights {
		t.Fatalf("%d is paid for %d", paid, weights)
	}
	return got, err
}

func checkSuccess(t *testing.T, body []byte, o Options, got Batch) {
	t.Helper()
	if o.MaxMessages > 0 && len(got.Messages) > o.MaxMessages {
		t.Fatal("more messages than there may be")
	}
	for i := range got.Messages {
		if n := levels(got.Messages[i].Fields); n > limit(o.MaxDepth, DefaultMaxDepth, HighestMaxDepth) {
			t.Fatalf("%d levels are more than %d", n, limit(o.MaxDepth, DefaultMaxDepth, HighestMaxDepth))
		}
	}
	if err := checkModel(body, o.Lines, got); err != nil {
		t.Fatal(err)
	}
}

// levels returns how deep a value is nested.
func levels(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		for _, v := range v {
			n = max(n, levels(v))
		}
	case []any:
		for _, v := range v {
			n = max(n, levels(v))
		}
	default:
		return 0
	}
	return n + 1
}

func checkFailure(t *testing.T, body []byte, o Options, got Batch, err error) {
	t.Helper()
	if got.Messages != nil || got.NumbersAsStrings != 0 {
		t.Fatal("a batch beside an error")
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("an error of type %T", err)
	}
	if e.Offset < 0 || e.Offset > int64(len(body)) || e.Index < -1 || e.Msg == "" {
		t.Fatalf("no such position: %+v", e)
	}
	if line := 1 + bytes.Count(body[:e.Offset], []byte("\n")); o.Lines && e.Reason != EmptyBody && e.Line != line {
		t.Fatalf("line %d instead of %d", e.Line, line)
	}
	switch e.Reason {
	case EmptyBody, MalformedJSON:
		// A body that encoding/json accepts is malformed only where encoding/json repairs it in silence.
		strict := e.Msg == msgDuplicate || e.Msg == msgEscape || e.Msg == msgUTF8
		trimmed := bytes.TrimPrefix(body, byteOrderMark)
		if _, err := modelMessages(body, o.Lines); err == nil && len(bytes.TrimSpace(trimmed)) > 0 && !strict {
			t.Fatalf("refused valid JSON: %v", e)
		}
	case SizeMismatch:
		if o.Lines || !json.Valid(bytes.TrimPrefix(body, byteOrderMark)) {
			t.Fatalf("counted the messages of what is not JSON: %v", e)
		}
	case TooManyMessages:
		if o.MaxMessages == 0 || e.Index != o.MaxMessages {
			t.Fatalf("not too many: %v", e)
		}
	case KeyTooLong:
		if len(body) <= limit(o.MaxKeyBytes, DefaultMaxKeyBytes, HighestMaxKeyBytes) {
			t.Fatalf("the body is shorter than the key may be: %v", e)
		}
	case StringTooLong:
		if len(body) <= limit(o.MaxStringBytes, HighestMaxStringBytes, HighestMaxStringBytes) {
			t.Fatalf("the body is shorter than the string may be: %v", e)
		}
	case WrongShape, TooDeep:
	default:
		t.Fatalf("no such reason: %q", e.Reason)
	}
}
