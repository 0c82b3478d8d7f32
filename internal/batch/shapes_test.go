package batch

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// shape is a body of about half a megabyte, with a name.
type shape struct {
	name  string
	body  []byte
	dense bool // weighs more than it is long, so that the weight has to be right and not only enough
	lines bool
}

// bodySize is half a megabyte, and an eighth of one with -short.
func bodySize() int {
	if testing.Short() {
		return 1 << 17
	}
	return 1 << 19
}

// filled returns a body of bodySize with one message, whose only value consists of parts.
func filled(name, before string, part func(i int) string, after string) shape {
	var s strings.Builder
	size := bodySize()
	s.WriteString(`{"messages":[{"a":` + before)
	for i := 0; s.Len() < size; i++ {
		if i > 0 {
			s.WriteByte(',')
		}
		s.WriteString(part(i))
	}
	s.WriteString(after + `}]}`)
	return shape{name: name, body: []byte(s.String()), dense: true}
}

// array is filled with the same element again and again.
func array(name, element string) shape {
	return filled(name, "[", func(int) string { return element }, "]")
}

// light returns a shape that may weigh no more than its text, or whose computed memory is known to be too high.
func light(s shape) shape {
	s.dense = false
	return s
}

func repeated(name, before, part, after string, n int) shape {
	return shape{name: name, body: []byte(before + strings.TrimSuffix(strings.Repeat(part, n), ",") + after)}
}

func object(keys int, value string) string {
	var s strings.Builder
	for i := range keys {
		fmt.Fprintf(&s, `,"%d":%s`, i, value)
	}
	return "{" + s.String()[1:] + "}"
}

func nested(levels int) string {
	return strings.Repeat(`{"":`, levels) + "0" + strings.Repeat("}", levels)
}

var shapes = sync.OnceValue(func() []shape {
	all := []shape{
		{name: "rxtx", body: rxtxBatch(3000)},
		{name: "one rxtx", body: rxtxBatch(1)},
		array("empty objects", `{}`),
		array("empty arrays", `[]`),
		array("tiny objects", `{"":0}`),
		array("objects of two keys", `{"a":0,"b":1}`),
		array("objects of eight keys", object(8, "0")),
		array("objects of nine keys", object(9, "0")),
		array("objects of fifteen keys", object(15, "0")),
		array("objects of 113 keys", object(113, "0")),
		array("arrays of one", `[0]`),
		array("arrays of thirty-three", "[0"+strings.Repeat(",0", 32)+"]"),
		array("arrays within arrays", `[[],[[],[]]]`),
		array("nulls", `null`),
		array("digits", `7`),
		array("small integers", `17`),
		array("large integers", `9007199254740993`),
		array("negative integers", `-1`),
		array("zeros with a sign", `-0`),
		array("floats", `0.5`),
		array("numbers as strings", `1e999`),
		array("empty strings", `""`),
		array("strings of one", `"x"`),
		array("strings of two", `"xy"`),
		array("strings of nine", `"xyzxyzxyz"`),
		array("strings of 33", `"`+strings.Repeat("x", 33)+`"`),
		array("strings of one by an escape", `"\n"`),
		array("pairs by escapes", `"\ud83d\ude00"`),
		array("deep objects", nested(100)),
		array("deep arrays", strings.Repeat("[", 100)+strings.Repeat("]", 100)),
		array("wide, narrow", object(1000, "0")+`,{"a":1}`),
		array("not so wide, narrow", object(112, "0")+`,{"a":1}`),
		array("wide with arrays", object(100, "[[]]")),
		array("long keys", `{"`+strings.Repeat("k", 70)+`":0}`),
		light(array("a few kilobytes", `"`+strings.Repeat("x", 5000)+`"`)),
		light(filled("a long string", "", func(int) string { return `"` + strings.Repeat("x", bodySize()) + `"` }, "")),
		light(filled("a long string of escapes", "", func(int) string { return `"` + strings.Repeat(`\u00e9`, 1<<18) + `"` }, "")),
		repeated("empty messages", `{"messages":[`, "{},", `]}`, 1<<16),
		repeated("tiny messages", `[`, `{"":0},`, `]`, 1<<15),
		repeated("many keys in messages", `[`, object(20, "{}")+",", `]`, 1<<12),
	}
	for _, n := range []int{100, 900, 1700, 5000, 55_000} {
		s := filled(fmt.Sprintf("objects of %d keys of their own", n), "[", func(i int) string {
			var s strings.Builder
			for j := range n {
				fmt.Fprintf(&s, `,"%s":0`, strconv.FormatInt(int64(i*n+j), 36))
			}
			return "{" + s.String()[1:] + "}"
		}, "]")
		// Just above a power of two, the computed memory assumes that all tables of a map are split, when only some are.
		s.dense = n != 1700 && n != 55_000
		all = append(all, s)
	}
	for _, n := range []int{16, 200, 900, 1665, 60_000} {
		ignored := "{" + object(n, "0")[1:]
		body := `{"messages":[{}],"uuid":[` + ignored + `,` + ignored + strings.Repeat(`,{"":[]}`, 1<<12) + "]}"
		all = append(all, shape{name: fmt.Sprintf("ignored, %d keys", n), body: []byte(body)})
	}
	// The maps of ignored objects are garbage as soon as they end, also inside another ignored object.
	nested := strings.ReplaceAll(object(50_000, "0"), ":0", `:{"":{}}`)
	all = append(all, shape{name: "ignored objects in an ignored object", body: []byte(`{"uuid":` + nested + `,"messages":[]}`)})
	// A message with much short text, just below and above the size of an allocation, then messages with little text. The
	// objects in them bring the memory to the limit.
	for _, s := range []struct{ strings, length, objects int }{{7, 256, 200}, {15, 256, 400}, {8, 512, 400}} {
		text := strings.Repeat(`"`+strings.Repeat("x", s.length)+`",`, s.strings)
		message := `{"a":[` + text + `"ab",` + strings.Repeat("{},", s.objects) + `{}]},`
		name := fmt.Sprintf("%d strings of %d bytes", s.strings, s.length)
		all = append(all, shape{name: name, body: []byte("[" + strings.Repeat(message, 200) + "{}]")})
		all = append(all, shape{name: name + ", and little", body: []byte("[" + strings.Repeat(message+`{"a":"ab"},{"a":1},`, 200) + "{}]")})
	}
	// An object with the keys of a batch, and another one.
	all = append(all, shape{name: "messages and other keys", body: []byte(`{"messages":[` + strings.Repeat(`{"":0},`, 1<<14) + `{}],` + object(20_000, "0")[1:])})
	return all
})
