package batch

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLinesAccepts(t *testing.T) {
	for _, c := range []struct {
		name string
		body string
		raw  []string
	}{
		{"one", `{"a":1}`, []string{`{"a":1}`}},
		{"one with its newline", "{}\n", []string{`{}`}},
		{"two", "{\"a\":1}\n{\"b\":2}", []string{`{"a":1}`, `{"b":2}`}},
		{"carriage returns", "{\"a\":1}\r\n{\"b\":2}\r\n", []string{`{"a":1}`, `{"b":2}`}},
		{"blank lines", "\n\r\n {\"a\":1}\n\n \t \n\r{\"b\":2} \n\n", []string{`{"a":1}`, `{"b":2}`}},
		{"white space within", " { \"a\" :\t1 } \n", []string{"{ \"a\" :\t1 }"}},
		{"two on a line", "{\"a\":1}{\"b\":2} {}\n{}", []string{`{"a":1}`, `{"b":2}`, `{}`, `{}`}},
		{"arrays", "[{\"a\":1},{}]\n{}\n[ ]\n[{}] {}", []string{`{"a":1}`, `{}`, `{}`, `{}`, `{}`}},
		{"byte order mark", "\ufeff{}\n{}", []string{`{}`, `{}`}},
		{"newlines in strings", `{"a":"\n\u000a"}`, []string{`{"a":"\n\u000a"}`}},
		{"a batch is a message here", `{"size":7,"messages":[1]}`, []string{`{"size":7,"messages":[1]}`}},
		{"line separator of Unicode", "{\"a\":\"\u2028\"}\n{}", []string{"{\"a\":\"\u2028\"}", "{}"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Decode([]byte(c.body), Options{Lines: true})
			require.NoError(t, err)
			require.Len(t, got.Messages, len(c.raw))
			for i, raw := range c.raw {
				require.Equal(t, raw, string(got.Messages[i].Raw))
				require.Equal(t, len(raw), cap(got.Messages[i].Raw))
				same, err := Decode([]byte("["+raw+"]"), Options{})
				require.NoError(t, err)
				require.Equal(t, same.Messages[0], got.Messages[i])
			}
		})
	}
}

func TestLinesRefuses(t *testing.T) {
	const noObject = "a message is no object"
	for _, c := range []struct {
		name string
		body string
		want Error
	}{
		{"no body", "", Error{EmptyBody, 0, -1, 0, "the body is empty"}},
		{"blank lines", "\r\n\n \t\n", Error{EmptyBody, 6, -1, 0, "the body is empty"}},

		{"object over two lines", "{}\n{\"a\":\n1}\n", Error{MalformedJSON, 8, 1, 2, msgLineEnds}},
		{"object over two lines of the other kind", "{\"a\":1\r\n}\r\n", Error{MalformedJSON, 7, 0, 1, msgLineEnds}},
		{"open bracket alone", "{\n}", Error{MalformedJSON, 1, 0, 1, msgLineEnds}},
		{"string over two lines", "{\"a\":\"x\ny\"}", Error{MalformedJSON, 7, 0, 1, msgLineEnds}},
		{"number cut by the line", "{\"a\":1.\n", Error{MalformedJSON, 7, 0, 1, msgLineEnds}},
		{"cut in the last line", "{}\n{\"a\":", Error{MalformedJSON, 8, 1, 2, msgTruncated}},
		{"cut after a blank line", "{}\n\n\n{\"a\"", Error{MalformedJSON, 9, 1, 4, msgTruncated}},

		{"a comma between lines", "{},\n{}\n", Error{MalformedJSON, 2, 1, 1, msgTrailing}},
		{"a comma in front", "{}\n,{}\n", Error{MalformedJSON, 3, 1, 2, msgCharacter}},
		{"a colon in front", ":{}\n", Error{MalformedJSON, 0, 0, 1, msgCharacter}},
		{"bracket too many", "{}}\n", Error{MalformedJSON, 2, 1, 1, msgTrailing}},
		{"zero byte", "{}\x00\n{}", Error{MalformedJSON, 2, 1, 1, msgTrailing}},
		{"no JSON", "{}\n\nhello\n{}", Error{MalformedJSON, 4, 1, 3, msgCharacter}},
		{"record separator", "\x1e{}\n", Error{MalformedJSON, 0, 0, 1, msgControl}},
		{"byte order mark later", "{}\n\ufeff{}\n", Error{MalformedJSON, 3, 1, 2, msgBOM}},
		{"no-break space is none", "{}\n\u00a0\n", Error{MalformedJSON, 3, 1, 2, msgCharacter}},
		{"invalid UTF-8", "{}\n{\"a\":\"\xff\"}\n", Error{MalformedJSON, 9, 1, 2, msgUTF8}},
		{"character cut by the line", "{\"a\":\"\xf0\x9f\x98\n", Error{MalformedJSON, 9, 0, 1, msgLineEnds}},
		{"half of a surrogate pair", "{}\n{\"a\":\"\\ud83d\"}\n", Error{MalformedJSON, 9, 1, 2, msgEscape}},
		{"pair over two lines", "{\"a\":\"\\ud83d\n\\ude00\"}\n", Error{MalformedJSON, 12, 0, 1, msgLineEnds}},
		{"key twice", "{}\n{\"a\":1,\"a\":2}\n{", Error{MalformedJSON, 10, 1, 2, msgDuplicate}},
		{"key that is a number", "{}\n{1:2}\n", Error{MalformedJSON, 4, 1, 2, msgName}},

		{"array of a number", "{}\n [{}, 1]\n", Error{WrongShape, 9, 2, 2, noObject}},
		{"a JSON array over lines", "[\n{}\n]\n", Error{MalformedJSON, 1, -1, 1, msgLineEnds}},
		{"null", "null\n", Error{WrongShape, 0, 0, 1, noObject}},
		{"number", "{}\n{}\n17", Error{WrongShape, 6, 2, 3, noObject}},
		{"string", "\"{}\"\n", Error{WrongShape, 0, 0, 1, noObject}},
		{"key twice in an array", "[{\"a\":1,\"a\":2}]\n", Error{MalformedJSON, 8, 0, 1, msgDuplicate}},
		{
			"too deep", "{}\n{\"a\":" + strings.Repeat("[", DefaultMaxDepth) + "\n",
			Error{TooDeep, 8 + DefaultMaxDepth - 1, 1, 2, "nested deeper than 128 levels"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Decode([]byte(c.body), Options{Lines: true})
			require.Zero(t, got)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.want, *e)
		})
	}
}

// Every cut of NDJSON gives whole messages, or an error at the cut.
func TestLinesCutAnywhere(t *testing.T) {
	body := "{\"a\":\"\\ud83d\\ude00é\"}\n\r\n {\"b\":[-1.5e+3,true,null]}\r\n{\"c\":{\"d\":\"\"}}\n"
	whole, err := Decode([]byte(body), Options{Lines: true})
	require.NoError(t, err)
	require.Len(t, whole.Messages, 3)
	for n := 1; n < len(body); n++ {
		got, err := Decode([]byte(body[:n]), Options{Lines: true})
		if err == nil {
			require.Equal(t, whole.Messages[:len(got.Messages)], got.Messages)
			require.Contains(t, "}\r\n ", body[n-1:n])
			continue
		}
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, MalformedJSON, e.Reason, "%s", body[:n])
		require.Equal(t, int64(n), e.Offset, "%s", body[:n])
		require.Equal(t, msgTruncated, e.Msg)
		require.Equal(t, strings.Count(body[:n], "\n")+1, e.Line)
	}
}

func TestMaxMessages(t *testing.T) {
	messages := func(n int) string { return strings.TrimSuffix(strings.Repeat("{},", n), ",") }
	for _, c := range []struct {
		name, before, between, after string
		lines                        bool
	}{
		{"batch", `{"messages":[`, ",", `]}`, false},
		{"batch that announces", `{"size":5,"messages":[`, ",", `]}`, false},
		{"array", `[ `, " , ", ` ]`, false},
		{"lines", ``, "\n", ``, true},
		{"lines with blank ones", "\n", "\n \n", "\n\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, most := range []int{0, 5, 6} {
				body := c.before + strings.ReplaceAll(messages(5), ",", c.between) + c.after
				got, err := Decode([]byte(body), Options{Lines: c.lines, MaxMessages: most})
				require.NoError(t, err)
				require.Len(t, got.Messages, 5)
			}
			for most := 1; most < 5; most++ {
				// The rest is not read.
				before := c.before + strings.ReplaceAll(messages(most), ",", c.between) + c.between
				for _, next := range []string{`{}`, `{"a":`, `{"a":1,"a":`, "\"\xff", `[[[[`, `17`} {
					_, err := Decode([]byte(before+next), Options{Lines: c.lines, MaxMessages: most})
					var e *Error
					require.ErrorAs(t, err, &e)
					require.Equal(t, TooManyMessages, e.Reason)
					at := len(before)
					if c.lines && next[0] == '[' {
						at++ // an array is no message, and its element is one
					}
					require.Equal(t, int64(at), e.Offset)
					require.Equal(t, most, e.Index)
					require.Equal(t, "more than "+string(rune('0'+most))+" messages", e.Msg)
				}
				_, err := Decode([]byte(before+"x"), Options{Lines: c.lines, MaxMessages: most})
				var e *Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, MalformedJSON, e.Reason, "no message begins there")
			}
		})
	}
}
