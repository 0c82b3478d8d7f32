package batch

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecodeAccepts(t *testing.T) {
	none := Batch{}
	one := Batch{Messages: []Message{{Fields: map[string]any{"a": int64(1)}}}}
	two := Batch{Messages: []Message{{Fields: map[string]any{}}, {Fields: map[string]any{}}}}

	for _, c := range []struct {
		name string
		body string
		want Batch
	}{
		{"empty array", `{"messages":[]}`, none},
		{"null for no messages", `{"messages":null}`, none},
		{"size of none", `{"size":0,"messages":null}`, none},
		{"white space everywhere", " \t\r\n{ \"messages\" : [ { \"a\" : 1 } ] } \n", one},
		{"an empty message", `{"messages":[{},{}]}`, two},
		{"size before", `{"size":2,"messages":[{},{}]}`, two},
		{"size after", `{"messages":[{},{}],"size":2}`, two},
		{"size with a fraction of nothing", `{"size":2.0,"messages":[{},{}]}`, two},
		{"size with an exponent", `{"size":20e-1,"messages":[{},{}]}`, two},
		{"size null", `{"size":null,"messages":[{},{}]}`, two},
		{"size minus nothing", `{"size":-0,"messages":[]}`, none},
		{"uuid", `{"uuid":"b-1","messages":[]}`, none},
		{"uuid null", `{"uuid":null,"messages":[]}`, none},
		{"uuid of another type", `{"uuid":{"a":[1]},"messages":[]}`, none},
		{"key by an escape", `{"\u006dessages":[{"\u0061":1}]}`, one},
		{"a uuid with messages", `{"uuid":[1,{"messages":[{"b":2}]}],"messages":[{"a":1}]}`, one},
		{"array", `[{"a":1}]`, one},
		{"array of none", ` [ ] `, none},
		{"array with white space", "\t[ {} ,\r\n{}\n]\n", two},
		{"a number ignored is not counted", `{"uuid":[1e999],"messages":[{"a":1}]}`, one},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Decode([]byte(c.body), Options{})
			require.NoError(t, err)
			if len(got.Messages) == 0 {
				got.Messages = nil // none is none, be the slice nil or empty
			}
			for i := range got.Messages {
				got.Messages[i].Raw, got.Messages[i].Weight = nil, 0 // other tests are about them
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestMessageRaw(t *testing.T) {
	b, err := Decode([]byte(`{"messages" : [ {} , {"a":[1, 2]} ,{ "\u0061" : "é" }]}`), Options{})
	require.NoError(t, err)
	require.Len(t, b.Messages, 3)
	for i, message := range []string{`{}`, `{"a":[1, 2]}`, `{ "\u0061" : "é" }`} {
		require.Equal(t, message, string(b.Messages[i].Raw))
		require.Equal(t, len(message), cap(b.Messages[i].Raw), "an append must not reach its neighbours")
	}
}

func TestDecodeKeepsEverything(t *testing.T) {
	body := `{"messages":[{
		"":"empty key","a.b":"dotted key","A":1,"a":2,"null":null,"yes":true,"no":false,
		"text":"","html":"<&>","escapes":"\"\\\/\b\f\n\r\t\u0000\u00e9","pair":"\ud83d\ude00","raw":"é😀",
		"\u006eested":{"deep":{"deeper":[[],{},[null,[1,[2]]]]}},
		"mixed":[1,"1",1.5,null,true,{"a":[]},18446744073709551615,18446744073709551616]
	}]}`
	got, err := Decode([]byte(body), Options{})
	require.NoError(t, err)
	require.Equal(t, 1, got.NumbersAsStrings)
	require.Equal(t, map[string]any{
		"": "empty key", "a.b": "dotted key", "A": int64(1), "a": int64(2), "null": nil, "yes": true, "no": false,
		"text": "", "html": "<&>", "escapes": "\"\\/\b\f\n\r\t\x00é", "pair": "😀", "raw": "é😀",
		"nested": map[string]any{"deep": map[string]any{
			"deeper": []any{[]any{}, map[string]any{}, []any{nil, []any{int64(1), []any{int64(2)}}}},
		}},
		"mixed": []any{
			int64(1), "1", 1.5, nil, true,
			map[string]any{"a": []any{}},
			uint64(math.MaxUint64),
			"18446744073709551616",
		},
	}, got.Messages[0].Fields)
}

func TestDecodeFindsTheUUIDOfAMessage(t *testing.T) {
	for value, want := range map[string]string{
		`{"uuid":"m-1"}`:          "m-1",
		`{"a":1,"u\u0075id":"é"}`: "é",
		`{}`:                      "",
		`{"uuid":""}`:             "",
		`{"uuid":null}`:           "",
		`{"uuid":true}`:           "",
		`{"uuid":["m-1"]}`:        "",
		`{"uuid":17}`:             "17",
		`{"uuid":-1.50}`:          "-1.5",
		`{"uuid":1e999}`:          "1e999",
		`{"a":{"uuid":"inner"},"n":1e999,"uuid":18446744073709551616}`: "18446744073709551616",
		`{"a":[1e999],"uuid":"m-1","b":{}}`:                            "m-1",
		`{"UUID":"m-1"}`:                                               "",
		`{"a":{"uuid":"inner"}}`:                                       "",
	} {
		got, err := Decode([]byte(`{"uuid":"batch","messages":[`+value+`]}`), byUUID)
		require.NoError(t, err, value)
		require.Equal(t, want, got.Messages[0].ID, value)
	}
}

func TestDecodeKeepsTheOrder(t *testing.T) {
	got, err := Decode(rxtxBatch(1000), byUUID)
	require.NoError(t, err)
	require.Len(t, got.Messages, 1000)
	for i, m := range got.Messages {
		require.Equal(t, fmt.Sprintf("%020d", i), m.Fields["seq"])
		payload, _ := m.Fields["payload"].(map[string]any)
		require.Equal(t, int64(9007199254740993+i), payload["counter"])
		require.Equal(t, m.Fields["uuid"], m.ID)
	}
}

// A caller may reuse the body once it does not need the raw messages any more.
func TestDecodeSharesNothingWithTheBody(t *testing.T) {
	body := []byte(`{"uuid":"batch","messages":[{"key":"value","e\tscaped":"a\tb","n":1e999,"l":["x",{"y":"z"}],"uuid":"u"}]}`)
	got, err := Decode(body, Options{})
	require.NoError(t, err)
	got.Messages[0].Raw = nil
	before := fmt.Sprintf("%#v", got)
	for i := range body {
		body[i] = '#'
	}
	require.Equal(t, before, fmt.Sprintf("%#v", got))
}

// Messages that share an interned key or the stack of array elements must not share anything else.
func TestDecodeSharesNothingBetweenMessages(t *testing.T) {
	got, err := Decode([]byte(`{"messages":[{"l":[1,[2],3]},{"l":[4,[5],6]}]}`), Options{})
	require.NoError(t, err)
	first, _ := got.Messages[0].Fields["l"].([]any)
	require.Len(t, first, 3)
	first[0] = "changed"
	_ = append(first, "more")
	require.Equal(t, []any{int64(4), []any{int64(5)}, int64(6)}, got.Messages[1].Fields["l"])
}

func TestDecodeAllowsMaxDepth(t *testing.T) {
	for _, depth := range []int{1, 2, DefaultMaxDepth, HighestMaxDepth} {
		for _, c := range []struct{ open, close string }{{"[", "]"}, {`{"a":`, "}"}} {
			o := Options{MaxDepth: depth}
			message := func(depth int) string {
				return `{"a":` + strings.Repeat(c.open, depth-1) + "1" + strings.Repeat(c.close, depth-1) + "}"
			}
			got, err := Decode([]byte(`{"messages":[`+message(depth)+`]}`), o)
			require.NoError(t, err)

			var want any
			require.NoError(t, json.Unmarshal([]byte(message(depth)), &want))
			text, err := json.Marshal(got.Messages[0].Fields)
			require.NoError(t, err)
			var again any
			require.NoError(t, json.Unmarshal(text, &again))
			require.Equal(t, want, again)

			// One value to each level leaves nothing behind for the next message.
			for _, body := range []string{
				`{"messages":[` + message(depth) + "," + message(depth) + `],"uuid":` + message(depth) + "}",
				"[" + message(depth) + "," + message(depth) + "]",
			} {
				_, err = Decode([]byte(body), o)
				require.NoError(t, err)
			}
			o.Lines = true
			_, err = Decode([]byte(message(depth)+"\n"+message(depth)), o)
			require.NoError(t, err)

			for body, position := range map[string][2]int{
				message(depth) + "\n" + message(depth+1):                                           {len(message(depth)) + 1 + 5 + (depth-1)*len(c.open), 1},
				`[` + message(depth) + "," + message(depth+1) + "]":                                {len(message(depth)) + 2 + 5 + (depth-1)*len(c.open), 1},
				`{"uuid":` + message(depth+1) + `,"messages":[]}`:                                  {13 + (depth-1)*len(c.open), -1},
				`{"messages":` + strings.Repeat("[", depth+2) + strings.Repeat("]", depth+2) + "}": {12 + depth + 1, 0},
			} {
				o.Lines = strings.Contains(body, "\n")
				_, err = Decode([]byte(body), o)
				var e *Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, TooDeep, e.Reason, body)
				require.Equal(t, fmt.Sprintf("nested deeper than %d levels", depth), e.Msg)
				at := [2]int{int(e.Offset), e.Index}
				require.Equal(t, position, at, body)
			}
		}
	}
}

func TestMaxDepthHasABound(t *testing.T) {
	body := []byte("[" + `{"a":` + strings.Repeat("[", HighestMaxDepth) + strings.Repeat("]", HighestMaxDepth) + "}]")
	_, err := Decode(body, Options{MaxDepth: 1 << 40})
	require.EqualError(t, err, "byte 995, message 0: nested deeper than 990 levels")
	_, err = Decode([]byte(`[{"a":`+strings.Repeat("[", 127)+strings.Repeat("]", 127)+"}]"), Options{MaxDepth: -1})
	require.NoError(t, err)
}

// The announced size takes no more memory than the length of the body allows.
func TestTheAnnouncedSizeIsBounded(t *testing.T) {
	for _, size := range []string{"9223372036854775807", "4294967296", "-9223372036854775808", "1e308"} {
		body := []byte(`{"size":` + size + `,"messages":[{},{}]}`)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(body, Options{})
		runtime.ReadMemStats(&after)
		require.Error(t, err)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<10))
	}
}

// Each body is megabytes of input that invites quadratic work. A decoder that does quadratic work exceeds the test's time limit.
func TestDecodeTakesLinearTime(t *testing.T) {
	n := 1 << 20
	if testing.Short() {
		n = 1 << 18
	}
	var keys strings.Builder
	for i := range n / 8 {
		fmt.Fprintf(&keys, `"k%d":0,`, i)
	}
	for name, message := range map[string]string{
		"keys":               "{" + strings.TrimSuffix(keys.String(), ",") + "}",
		"long keys":          strings.Repeat(`{"`+strings.Repeat("k", DefaultMaxKeyBytes)+`":1},`, n/DefaultMaxKeyBytes) + "{}",
		"escapes":            `{"a":"` + strings.Repeat(`\u00e9`, n) + `"}`,
		"white space":        `{"a"` + strings.Repeat(" ", n) + ":" + strings.Repeat("\n", n) + "1}",
		"integer":            `{"a":` + strings.Repeat("1", n) + `}`,
		"fraction":           `{"a":0.` + strings.Repeat("0", n) + `1}`,
		"exponent":           `{"a":1e` + strings.Repeat("9", n) + `}`,
		"zeros and exponent": `{"a":1` + strings.Repeat("0", n) + `e-1000000}`,
		"elements":           `{"a":[` + strings.Repeat("[],{},", n/2) + `0]}`,
		"unlike neighbours":  "{" + keys.String() + `"a":0},` + strings.Repeat(`{},{"a":0},`, n/8) + "{}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode([]byte(`{"messages":[`+message+`]}`), Options{})
			require.NoError(t, err)
			_, err = Decode([]byte(`{"messages":[`+message), Options{})
			require.Error(t, err)
		})
	}
}
