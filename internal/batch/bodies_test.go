package batch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// bodies are the answers to the files in testdata/bodies, one for each kind of body that senders make. NDJSON has its ending.
var bodies = map[string]struct {
	messages []string // of a body that is accepted
	err      string   // of a body that is refused
	invalid  string   // its second message with KeepInvalid; empty for a body that is refused all the same
}{
	"object.json":               {messages: []string{`{"event":"order.paid","id":"evt_1","amount":12.50}`}},
	"object-with-messages.json": {messages: []string{`{"event":"message_created","id":7,"status":"open","messages":[{"id":1,"content":"hi"}],"meta":{"sender":"a"}}`}},
	"batch-typo.json":           {messages: []string{`{"uuid":"b","size":1,"message":[{"uuid":"1"}]}`}},
	"batch-size-wrong.json":     {err: "byte 19: size is 2, but the number of messages is 1"},
	"pretty.json":               {messages: []string{"{\n  \"alerts\": [\n    {\"status\": \"firing\",\n     \"labels\": {\"a\": \"b\"}}\n  ],\n  \"version\": \"4\"\n}"}},
	"concatenated.json":         {messages: []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}},
	"ndjson-as-json.json":       {messages: []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}},
	"two-arrays.json":           {messages: []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}},
	"batch-among.json":          {err: "byte 22: a batch among other values; it must stand alone"},
	"bom.json":                  {messages: []string{`{"a":1}`}},
	"bom.ndjson":                {messages: []string{`{"a":1}`, `{"a":2}`}},
	"bom-inside.ndjson":         {err: "byte 8, line 2, message 1: a byte order mark, which only the body may begin with", invalid: "\ufeff{\"a\":2}"},
	"gzip-unsaid.json":          {err: "byte 0: the body is gzip data, which Content-Encoding must say"},
	"bad-nan.ndjson":            {err: "byte 19, line 2, message 1: NaN and Infinity are no numbers of JSON; null can stand for them", invalid: `{"n":2,"v":NaN}`},
	"bad-surrogate.ndjson":      {err: "byte 26, line 2, message 1: an invalid escape, or half of a surrogate pair", invalid: `{"n":2,"user":"Ann\ud83d"}`},
	"bad-utf8.ndjson":           {err: "byte 24, line 2, message 1: invalid UTF-8", invalid: "{\"n\":2,\"city\":\"M\xfcnchen\"}"},
	"bad-control.ndjson":        {err: "byte 23, line 2, message 1: a control character that is not escaped", invalid: "{\"n\":2,\"msg\":\"a\x1db\"}"},
	"bad-twice.ndjson":          {err: "byte 24, line 2, message 1: an object has the same key twice", invalid: `{"n":2,"time":1,"time":2}`},
	"bad-line.ndjson":           {err: "byte 8, line 2, message 1: unexpected character", invalid: `Nov 30 00:00:00 host app: not JSON`},
	"bad-cut.ndjson":            {err: "byte 28, line 2, message 1: the line ends before its JSON value does", invalid: `{"n":2,"msg":"cut he`},
	"bad-in-array.json":         {err: "byte 24, message 1: an invalid escape, or half of a surrogate pair", invalid: `{"n":2,"user":"\udc00"}`},
	"bad-array-broken.json":     {err: "byte 16, message 1: unexpected character"},
}

func readBodies(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/bodies/*")
	require.NoError(t, err)
	require.Len(t, files, len(bodies))
	read := make(map[string][]byte)
	for _, file := range files {
		body, err := os.ReadFile(file)
		require.NoError(t, err)
		read[filepath.Base(file)] = body
	}
	return read
}

func TestBodiesOfSenders(t *testing.T) {
	for name, body := range readBodies(t) {
		t.Run(name, func(t *testing.T) {
			want, known := bodies[name]
			require.True(t, known)
			got, err := Decode(body, Options{Lines: strings.HasSuffix(name, ".ndjson")})
			if want.err != "" {
				require.EqualError(t, err, want.err)
				return
			}
			require.NoError(t, err)
			var messages []string
			for _, m := range got.Messages {
				messages = append(messages, string(m.Raw))
			}
			require.Equal(t, want.messages, messages)
		})
	}
}

// With KeepInvalid, one message does not take its neighbors with it.
func TestBodiesOfSendersWithAnInvalidMessage(t *testing.T) {
	for name, body := range readBodies(t) {
		t.Run(name, func(t *testing.T) {
			o := Options{Lines: strings.HasSuffix(name, ".ndjson")}
			want, err := Decode(body, o)
			o.KeepInvalid = true
			got, keptErr := Decode(body, o)
			if bodies[name].invalid == "" {
				require.Equal(t, want, got)
				require.Equal(t, err, keptErr)
				return
			}
			require.NoError(t, keptErr)
			require.GreaterOrEqual(t, len(got.Messages), 2)
			for i, m := range got.Messages {
				if i != 1 {
					require.Nil(t, m.Failure)
					continue
				}
				require.Equal(t, bodies[name].invalid, string(m.Raw))
				require.EqualError(t, m.Failure, bodies[name].err)
			}
		})
	}
}

// An object is a batch by its keys alone, whatever follows the first of them.
func TestWhatIsABatch(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat("{},", 10), ",")
	deep := strings.Repeat("[", DefaultMaxDepth-1) + strings.Repeat("]", DefaultMaxDepth-1)
	for name, c := range map[string]struct {
		body string
		want int // messages
	}{
		"messages alone":                   {`{"messages":[{},{}]}`, 2},
		"null":                             {`{"messages":null,"uuid":1}`, 0},
		"all keys":                         {`{"messages":[{},{}],"uuid":{},"size":2}`, 2},
		"a key behind":                     {`{"messages":[{},{}],"event":1}`, 1},
		"a key before":                     {`{"event":1,"messages":[{},{}]}`, 1},
		"elements that are no messages":    {`{"messages":[1,2],"event":1}`, 1},
		"a size that is none":              {`{"size":"large","messages":[],"event":1}`, 1},
		"another size":                     {`{"size":7,"messages":[{}],"event":1}`, 1},
		"more elements than messages":      {`{"messages":[` + many + `],"event":1}`, 1},
		"messages that would be too deep":  {`{"messages":"x","a":` + deep + `}`, 1},
		"numbers that are read twice":      {`{"messages":[{"a":1e999}],"b":1e999}`, 1},
		"an object":                        {`{"messages":{"a":1}}`, 1},
		"no messages":                      {`{"uuid":"x","size":1}`, 1},
		"nothing":                          {`{}`, 1},
		"another case":                     {`{"Messages":[{},{}]}`, 1},
		"a long key":                       {`{"` + strings.Repeat("m", 100) + `":[],"messages":[1]}`, 1},
		"messages by escapes":              {`{"\u006d\u0065\u0073\u0073\u0061\u0067\u0065\u0073":[{},{}]}`, 2},
		"a message that is read again":     {`{"messages":[{"a":{"b":[1,"x",{}]}}],"uuid":"u","event":{"c":[]}}`, 1},
		"a message, followed by a message": {`{"messages":[{}],"event":1}{"messages":[{}],"event":2}`, 2},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode([]byte(c.body), Options{MaxMessages: 5})
			require.NoError(t, err)
			require.Len(t, got.Messages, c.want)
			if c.want == 1 {
				require.Equal(t, c.body, string(got.Messages[0].Raw))
				same, err := Decode([]byte("["+c.body+"]"), Options{})
				require.NoError(t, err)
				require.Equal(t, same, got)
			}
		})
	}
}

// A batch of an earlier version may have other keys.
func TestOtherKeysOfAStoredBatch(t *testing.T) {
	const body = `{"event":{"a":1},"messages":[{"b":2}],"event":3}`
	got, err := Decode([]byte(body), Options{OtherKeys: true})
	require.NoError(t, err)
	require.Len(t, got.Messages, 1)
	require.Equal(t, `{"b":2}`, string(got.Messages[0].Raw))
}
