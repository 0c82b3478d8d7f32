package batch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"unicode/utf8"
	"unsafe"
)

// FuzzKeepInvalid compares the decoder with isValid: the messages that are kept are exactly those that isValid refuses. Every byte
// of the body is in one message, or between messages.
func FuzzKeepInvalid(f *testing.F) {
	for _, body := range []string{
		"{\"n\":1}\nhello\n{\"n\":3}\n", "{\"a\":1}{\"a\":NaN} {}\n{}", "[{\"a\":1,\"a\":2},\"\\ud83d\",[[]],{}]{}", "[{},{\"a\":01},{}]\n{}",
		`{"messages":[{},{"a":1,"a":2} , {}],"size":3}`, `{"messages":[{"a":"\ud83d"}],"a":1}`, "\ufeff[]\n\ufeff{}", "{}{\"messages\":[]}",
		"[{\"uuid\":\"a\"},{\"a\":[NaN,-Infinity]},{\"a\":\"\x01\"},{\"uuid\":\"b\"},{\"a\":NaN}]", "{\"a\":\n\"\\udc00\",\n\"b\":{}}\n{}", "{},{}\n17 {}\n[1,{}]\n[{}", "{\"a\":[[[[]]]]}\n{\"a\":\"\xff\"}\n{\"a\":\"\x01\"}", `{"uuid":"b","si`,
	} {
		f.Add([]byte(body), false, uint8(0), uint8(0))
		f.Add([]byte(body), true, uint8(3), uint8(2))
	}
	f.Fuzz(func(t *testing.T, body []byte, lines bool, most, depth uint8) {
		o := Options{Lines: lines, MaxMessages: int(most), MaxDepth: int(depth), Identity: byUUID.Identity}
		strict, strictErr := Decode(body, o)
		o.KeepInvalid = true
		got, err := decodeCharged(t, body, o)
		if again, againErr := Decode(body, o); !reflect.DeepEqual(got, again) || fmt.Sprint(err) != fmt.Sprint(againErr) {
			t.Fatalf("%v, then %v", err, againErr)
		}
		switch {
		case strictErr == nil && (err != nil || !reflect.DeepEqual(strict, got)):
			t.Fatalf("accepted without KeepInvalid, and not the same with it: %v", err)
		case err != nil:
			return
		}
		bad := 0
		at := 0
		hasID := slices.ContainsFunc(got.Messages, func(m Message) bool { return m.ID != "" })
		keys := map[Key]bool{}
		for i, m := range got.Messages {
			next := int(uintptr(unsafe.Pointer(unsafe.SliceData(m.Raw))) - uintptr(unsafe.Pointer(unsafe.SliceData(body))))
			if next < at {
				t.Fatalf("message %d is not behind the one before", i)
			}
			checkGap(t, body[at:next], at == 0, isEnvelope(body, lines))
			at = next + len(m.Raw)
			if valid := isValid(m.Raw, limit(o.MaxDepth, DefaultMaxDepth, HighestMaxDepth)); valid != (m.Failure == nil) {
				t.Fatalf("message %d, %q: valid %t, %v", i, m.Raw, valid, m.Failure)
			}
			if m.Failure == nil {
				continue
			}
			bad++
			if e := m.Failure; e.Index != i || e.Offset < int64(next) || len(bytes.TrimSpace(body[at:max(int64(at), e.Offset)])) > 0 || (m.Key != Key{}) != hasID {
				t.Fatalf("message %d from %d to %d: %+v", i, next, at, e)
			}
			if hasID && keys[m.Key] {
				t.Fatalf("message %d has the key of another one that is not valid", i)
			}
			keys[m.Key] = true
		}
		checkGap(t, body[at:], at == 0, isEnvelope(body, lines))
		if (bad > 0) != (strictErr != nil) {
			t.Fatalf("%d messages are not valid, and without KeepInvalid: %v", bad, strictErr)
		}
		if lines {
			checkLines(t, body, got, o)
		}
	})
}

// isEnvelope reports whether the body may be a batch, whose other keys stand between messages.
func isEnvelope(body []byte, lines bool) bool {
	body = bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\ufeff")), " \t\r\n")
	return !lines && bytes.HasPrefix(body, []byte("{")) && (bytes.Contains(body, []byte("messages")) || bytes.Contains(body, []byte(`\u`)))
}

// checkGap checks bytes that are in no message.
func checkGap(t *testing.T, gap []byte, isFirst, isEnvelope bool) {
	t.Helper()
	if isFirst {
		gap = bytes.TrimPrefix(gap, []byte("\ufeff"))
	}
	if rest := bytes.Trim(gap, " \t\r\n,[]"); len(rest) > 0 && !isEnvelope {
		t.Fatalf("%q is lost", rest)
	}
}

// checkLines checks that each line that is one valid message is a message.
func checkLines(t *testing.T, body []byte, got Batch, o Options) {
	t.Helper()
	list := got.Messages
	for number, line := range bytes.Split(body, []byte("\n")) {
		if number == 0 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		line = bytes.Trim(line, " \t\r")
		if !isValid(line, limit(o.MaxDepth, DefaultMaxDepth, HighestMaxDepth)) {
			continue
		}
		for len(list) > 0 && !bytes.Equal(list[0].Raw, line) {
			list = list[1:]
		}
		if len(list) == 0 {
			t.Fatalf("line %d is missing: %q", number+1, line)
		}
		list = list[1:]
	}
}

var escaped = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)

// isValid reports whether a text is a message, by encoding/json and by looking at what encoding/json repairs.
func isValid(text []byte, depth int) bool {
	if !json.Valid(text) || text[0] != '{' || !utf8.Valid(text) {
		return false
	}
	high := -1 // the end of an escape that is the first half of a surrogate pair
	for _, at := range escaped.FindAllIndex(text, -1) {
		code, err := strconv.ParseUint(string(text[min(at[0]+2, at[1]):at[1]]), 16, 32)
		isHalf := err == nil && code >= 0xd800 && code < 0xe000
		isLow := isHalf && code >= 0xdc00
		if isLow != (high >= 0) || isLow && high != at[0] {
			return false
		}
		high = -1
		if isHalf && !isLow {
			high = at[1]
		}
	}
	return high < 0 && hasValidTokens(text, depth)
}

// hasValidTokens reports whether a JSON text keeps to the depth, and no object has a key twice.
func hasValidTokens(text []byte, depth int) bool {
	reader := json.NewDecoder(bytes.NewReader(text))
	reader.UseNumber()
	type level struct {
		keys  map[string]bool // nil in an array
		isKey bool
	}
	var levels []level
	for {
		token, err := reader.Token()
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			return false
		}
		top := len(levels) - 1
		key, isString := token.(string)
		isKey := top >= 0 && levels[top].isKey && isString
		switch {
		case token == json.Delim('{'), token == json.Delim('['):
			if top >= 0 && levels[top].keys != nil {
				levels[top].isKey = true
			}
			next := level{}
			if token == json.Delim('{') {
				next = level{make(map[string]bool), true}
			}
			if levels = append(levels, next); len(levels) > depth {
				return false
			}
		case token == json.Delim('}'), token == json.Delim(']'):
			levels = levels[:top]
		case isKey:
			if levels[top].keys[key] || len(key) > DefaultMaxKeyBytes {
				return false
			}
			levels[top].keys[key], levels[top].isKey = true, false
		case top >= 0 && levels[top].keys != nil:
			levels[top].isKey = true
		}
	}
}
