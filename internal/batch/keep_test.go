package batch

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// kept decodes a body with KeepInvalid, and returns the bytes of its messages. Those that are not valid have their reason before.
func kept(t *testing.T, body string, o Options) []string {
	t.Helper()
	o.KeepInvalid = true
	b, err := Decode([]byte(body), o)
	require.NoError(t, err)
	var list []string
	for i, m := range b.Messages {
		text := string(m.Raw)
		require.Equal(t, len(text), cap(m.Raw))
		require.NotNil(t, m.Fields)
		if m.Failure != nil {
			require.Equal(t, i, m.Failure.Index)
			require.Empty(t, m.Fields)
			text = string(m.Failure.Reason) + " " + text
		}
		list = append(list, text)
	}
	return list
}

func TestInvalidMessagesAreKept(t *testing.T) {
	deep := `{"a":` + strings.Repeat("[", DefaultMaxDepth) + strings.Repeat("]", DefaultMaxDepth) + "}"
	for name, c := range map[string]struct {
		body  string
		lines bool
		want  []string
	}{
		"lines":                         {"{\"n\":1}\nhello\n{\"n\":3}\n", true, []string{`{"n":1}`, `malformed_json hello`, `{"n":3}`}},
		"the first line":                {"\ufeffhello\r\n\r\n{}", true, []string{`malformed_json hello`, `{}`}},
		"only one":                      {" hello", true, []string{`malformed_json hello`}},
		"lines of other values":         {"17\n\"a\"\n{}", true, []string{`wrong_shape 17`, `wrong_shape "a"`, `{}`}},
		"the rest of a line":            {"{}[{}] {\"a\":1,\"a\":2} {}\t\n{}", true, []string{`{}`, `{}`, `malformed_json {"a":1,"a":2} {}`, `{}`}},
		"a line cut off":                {"{}\n{\"a\":", true, []string{`{}`, `malformed_json {"a":`}},
		"an element of a line":          {"[{},{\"a\":\"\\ud83d\"},17,{}]\n{}", true, []string{`{}`, `malformed_json {"a":"\ud83d"}`, `wrong_shape 17`, `{}`, `{}`}},
		"an array of a line":            {"{}\n[{},{\"a\":\"\\ud83d\"},{\"a\":01},{}]\n{}", true, []string{`{}`, `malformed_json [{},{"a":"\ud83d"},{"a":01},{}]`, `{}`}},
		"an array without an end":       {"[{},\n{}]\n{}", true, []string{`malformed_json [{},`, `{}`, `malformed_json ]`, `{}`}},
		"a byte order mark":             {"{}\n\ufeff{}\n{}", true, []string{`{}`, "malformed_json \ufeff{}", `{}`}},
		"values":                        {"{\"a\":1}{\"a\":NaN}\n{\"a\":2}", false, []string{`{"a":1}`, `malformed_json {"a":NaN}`, `{"a":2}`}},
		"the first value":               {"{\"a\":NaN} {\n}{}\n{\"a\":2}", false, []string{`malformed_json {"a":NaN} {`, `malformed_json }{}`, `{"a":2}`}},
		"a line end before the error":   {"{\"a\":\n\n \"\\ud83d\",\n \"b\":1}\n{}", false, []string{"malformed_json {\"a\":\n\n \"\\ud83d\",", `wrong_shape "b":1}`, `{}`}},
		"text":                          {"hello\nworld", false, []string{`malformed_json hello`, `malformed_json world`}},
		"a comma between values":        {"{},{}\n{}", false, []string{`{}`, `malformed_json ,{}`, `{}`}},
		"no batch":                      {"{\"messages\":[{}],\"a\":NaN}\n{}", false, []string{`malformed_json {"messages":[{}],"a":NaN}`, `{}`}},
		"no batch, with an invalid one": {`{"messages":[{"a":"\ud83d"}],"a":1}`, false, []string{`malformed_json {"messages":[{"a":"\ud83d"}],"a":1}`}},
		"elements":                      {`[{"a":1,"a":2},"\ud83d",[[]],null,` + deep + `,{}] {}`, false, []string{`malformed_json {"a":1,"a":2}`, `malformed_json "\ud83d"`, `wrong_shape [[]]`, `wrong_shape null`, `too_deep ` + deep, `{}`, `{}`}},
		"elements of a batch":           {`{"messages":[{},{"a":1,"a":2} , {}],"size":3}`, false, []string{`{}`, `malformed_json {"a":1,"a":2}`, `{}`}},
		"the last element":              {`{"size":2,"messages":[{},1 ] , "uuid":7}`, false, []string{`{}`, `wrong_shape 1`}},
		"too deep for the skipping":     {`[{}]{"a":` + strings.Repeat("[", 20_000) + "\n{}", false, []string{`{}`, `too_deep {"a":` + strings.Repeat("[", 20_000), `{}`}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, kept(t, c.body, Options{Lines: c.lines}))
		})
	}
}

// These problems are not those of one message, or the end of the message cannot be told.
func TestBodiesThatAreRefusedAllTheSame(t *testing.T) {
	for name, c := range map[string]struct {
		body  string
		lines bool
		want  string
	}{
		"nothing":                    {" ", false, "the body is empty"},
		"gzip":                       {"\x1f\x8b\n{}", true, "byte 0, line 1, message -1: the body is gzip data, which Content-Encoding must say"},
		"a batch cut off":            {`{"uuid":"b","size":2,"messages":[{"a":1},{"a"`, false, "byte 45, message 1: the JSON text ends too soon"},
		"a batch cut off early":      {`{"uuid":"b","si`, false, "byte 15: the JSON text ends too soon"},
		"a batch of another size":    {`{"size":2,"messages":[{"a":"\ud83d"}]}`, false, "byte 8: size is 2, but the number of messages is 1"},
		"a batch with a wrong size":  {`{"size":"2","messages":[{"a":1,"a":2}]}`, false, "byte 8: size is no number"},
		"a batch and text":           {"{\"messages\":[{}]}\nhello", false, "byte 18: data after the end of the JSON value"},
		"a batch behind":             {`{}{"messages":[]}`, false, "byte 2: a batch among other values; it must stand alone"},
		"an invalid batch behind":    {`{}{"messages":[{"a":"\ud83d"}],"size":1}`, false, "byte 2: a batch among other values; it must stand alone"},
		"an element without an end":  {`[{},{"a":01},{}]`, false, "byte 10, message 1: unexpected character"},
		"an element that is no JSON": {`[{},hello,{}]`, false, "byte 4: unexpected character"},
		"an array without a comma":   {`[{"a":1,"a":2} {}]`, false, "byte 15: unexpected character"},
		"a comma at its end":         {`[{"a":1,"a":2},]`, false, "byte 14: unexpected character"},
		"an array without an end":    {"[{\"a\":1,\"a\":2}\n", false, "byte 15: the JSON text ends too soon"},
		"levels beyond all bounds":   {`[{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}]", false, "byte 133, message 0: nested deeper than 128 levels"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode([]byte(c.body), Options{Lines: c.lines, KeepInvalid: true})
			require.EqualError(t, err, strings.Replace(c.want, ", line 1, message -1", "", 1))
		})
	}
	for _, body := range []string{"{}\nhello\n{}", "{}\n{}\nhello\n", "one\ntwo\nthree", `[{},{},{"a":1,"a":2}]`, "[{},1]\nhello"} {
		_, err := Decode([]byte(body), Options{Lines: true, KeepInvalid: true, MaxMessages: 2})
		var e *Error
		require.ErrorAs(t, err, &e, body)
		require.Equal(t, TooManyMessages, e.Reason)
		require.Equal(t, 2, e.Index)
	}
}

// A message that is not valid is known by the nearest message with an id, and all bytes from there.
func TestKeysOfInvalidMessages(t *testing.T) {
	keys := func(body string, id Identity) (list []Key) {
		b, err := Decode([]byte(body), Options{Lines: true, KeepInvalid: true, Identity: id})
		require.NoError(t, err)
		for _, m := range b.Messages {
			list = append(list, m.Key)
		}
		return list
	}
	id := byUUID.Identity
	const a, b = `{"uuid":"a"}`, `{"uuid":"b"}`
	body := "hello\n{}\nhello\n" + a + "\nhello\n" + "hello\n" + b + "\nhello\n"
	first := keys(body, id)
	seen := map[Key]bool{}
	for i, key := range first {
		require.Equal(t, i == 1, key == Key{}, i)
		require.False(t, seen[key], "equal lines of a body may all be meant")
		seen[key] = true
	}
	require.Equal(t, first, keys(strings.ReplaceAll(body, "\n", "\n\r\n")+"more", id)[:len(first)], "white space does not count, nor what follows")
	require.Equal(t, first[4:], keys(a+"\nhello\n"+"hello\n"+b+"\nhello\n", id)[1:], "nor what is before a message with an id")
	require.NotEqual(t, first[4], keys(`{"uuid":"a" }`+"\nhello", id)[1])
	require.NotEqual(t, first[4], keys(a+"\nhello", Identity{Fields: id.Fields, Scope: "s"})[1])

	// Without an id in the body, equal bodies may both be meant.
	require.Equal(t, make([]Key, 3), keys("hello\n{}\nhello\n", id))
	require.Zero(t, keys(a+"\nhello", Identity{Fields: id.Fields, Off: true})[1])

	given := keys(a+"\nhello\n"+"\nhello", Identity{Fields: id.Fields, Given: "g"})
	require.NotEqual(t, given[1], given[2])
	require.Equal(t, given[1], keys("{ }\nhello", Identity{Given: "g"})[1], "its id comes from the request")
	content := keys("{}\nhello\n"+"hello\n", Identity{Content: true})
	require.Equal(t, content[1], content[2], "equal ones are one")
	require.Equal(t, content[1], keys("hello", Identity{Content: true})[0])
	require.NotEqual(t, content[1], keys("hello", Identity{Content: true, Scope: "s"})[0])
}

// The end of an element can be told though a number or a string in it is none of JSON.
func TestElementsThatAreNoJSONAreKept(t *testing.T) {
	for body, want := range map[string][]string{
		`[{"n":1},{"v":NaN},{"n":3}]`:                                    {`{"n":1}`, `malformed_json {"v":NaN}`, `{"n":3}`},
		`{"messages":[{"v":[-Infinity,NaN]} , {"v":Infinity}],"size":2}`: {`malformed_json {"v":[-Infinity,NaN]}`, `malformed_json {"v":Infinity}`},
		"[{\"a\":\"\x1d]\n\"},{\"n\":\"]NaN\"}]":                         {"malformed_json {\"a\":\"\x1d]\n\"}", `{"n":"]NaN"}`},
		"[{\"a\":NaN}] [{},{\"a\":\"\x00\"},{}]":                         {`malformed_json {"a":NaN}`, `{}`, "malformed_json {\"a\":\"\x00\"}", `{}`},
	} {
		require.Equal(t, want, kept(t, body, Options{}), body)
	}
	lines := "[{},{\"a\":NaN},{}]\n[{\"a\":\"\t\"},{}]\n"
	require.Equal(t, []string{`{}`, `malformed_json {"a":NaN}`, `{}`, "malformed_json {\"a\":\"\t\"}", `{}`}, kept(t, lines, Options{Lines: true}))
}

// The valid messages behind an invalid one are not lost where its event cannot hold them.
func TestValidMessagesBehindALongLine(t *testing.T) {
	many := strings.Repeat(`{"uuid":"a","text":"hello"} `, MaxOriginal/10)
	for name, body := range map[string]string{
		"values": `{"k":1,"k":2} ` + many, "values with NaN": `{"k":NaN} ` + many, "a line": "{\"k\":\"\x01\"}" + many + "\n{}",
	} {
		list := kept(t, body, Options{Lines: strings.Contains(body, "\n")})
		require.GreaterOrEqual(t, len(list), MaxOriginal/10+1, name)
		require.NotContains(t, list[0], "hello", name)
		require.Contains(t, list[0], `"k"`, name)
	}
}

// A body is refused where the event of an invalid message would lose what may be messages.
func TestALongLineThatMayHoldMessagesIsRefused(t *testing.T) {
	many := strings.Repeat(`{"uuid":"a","text":"hello"}`, MaxOriginal/10)
	for _, body := range []string{`{"a":tru}` + many, "oops" + many, "[" + strings.ReplaceAll(many, "}{", "},{") + `,{"a":tru}]`} {
		for _, lines := range []bool{false, true} {
			_, err := Decode([]byte(body), Options{Lines: lines, KeepInvalid: true})
			require.ErrorAs(t, err, new(*Error))
		}
	}
	text := strings.Repeat("a line of a log ", MaxOriginal)
	require.Equal(t, []string{"malformed_json " + strings.TrimSpace(text), "{}"}, kept(t, text+"\n{}", Options{Lines: true}))
}

// The keys of an object decide what it is, also where its values are no JSON.
func TestObjectsThatAreNoJSONAreNoBatches(t *testing.T) {
	for _, first := range []string{"{\"uuid\":\"a\x01b\",\"data\":1}", `{"size":NaN}`, `{"uuid":NaN,"data":1}`} {
		require.Equal(t, []string{"malformed_json " + first, `{"b":1}`}, kept(t, first+"\n{\"b\":1}", Options{}))
		_, err := Decode([]byte(first), Options{})
		require.Error(t, err)
	}
}

// Memory of invalid messages is charged, and work on them is linear.
func TestInvalidMessagesTakeLinearTime(t *testing.T) {
	n := 1 << 17
	for name, body := range map[string]string{
		"lines of text":           strings.Repeat("x\n", n),
		"elements":                "[" + strings.Repeat(`"\ud83d",`, n) + "{}]",
		"elements that are deep":  "[" + strings.Repeat(strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+",", n/1000) + "{}]",
		"objects over many lines": strings.Repeat("{\"a\":[\n", n),
		"keys of a batch":         `{}` + strings.Repeat("{\"uuid\":\"\\udc00\",\"messages\":[\n", n/8),
		"arrays on one line":      strings.Repeat("[{},", n),
		"NaN in elements":         "[" + strings.Repeat(`{"a":NaN},`, n/8) + "{}]",
		"the same key twice":      strings.Repeat("{\"a\":1,\"a\":{\"b\":[\n", n/8) + strings.Repeat("]}}", n/8),
	} {
		for _, lines := range []bool{false, true} {
			var charged int64
			b, err := Decode([]byte(body), Options{Lines: lines, KeepInvalid: true, Charge: func(n int64) error { charged += n; return nil }})
			if err != nil {
				require.ErrorAs(t, err, new(*Error), name)
				continue
			}
			var weights int64
			for _, m := range b.Messages {
				weights += int64(m.Weight)
			}
			require.GreaterOrEqual(t, int64(len(body))+charged, weights, name)
		}
	}
}

// The lines of many errors are counted once.
func TestLinesOfInvalidMessages(t *testing.T) {
	b, err := Decode(bytes.Repeat([]byte("{}\n[{},{\"a\":1,\"a\":2},{\"a\":01}]\n\nx\n"), 100), Options{Lines: true, KeepInvalid: true})
	require.NoError(t, err)
	require.Len(t, b.Messages, 300)
	for i, m := range b.Messages {
		switch i % 3 {
		case 1:
			require.Equal(t, i/3*4+2, m.Failure.Line)
		case 2:
			require.Equal(t, i/3*4+4, m.Failure.Line)
		}
	}
}

// What was read of a message that is not valid counts for nothing but its bytes.
func TestInvalidMessagesLeaveNothing(t *testing.T) {
	for _, body := range []string{
		`[{"n":1},{"a":[1e999,{},{},[]],"b":1,"b":2},{"c":1e999}]`,
		"[{\"n\":1},{\"a\":1e999},{\"a\":01}]\n{\"a\":[1e999,{},{}],\"b\":NaN}\n{\"c\":1e999}",
	} {
		var charged []int64
		b, err := Decode([]byte(body), Options{
			Lines: strings.Contains(body, "\n"), KeepInvalid: true, Charge: func(n int64) error { charged = append(charged, n); return nil },
		})
		require.NoError(t, err)
		require.Len(t, b.Messages, 3)
		require.Equal(t, 1, b.NumbersAsStrings)
		excess := 0
		for _, m := range b.Messages {
			excess += m.Weight - len(m.Raw)
		}
		require.Equal(t, []int64{int64(excess)}, charged)
	}
}
