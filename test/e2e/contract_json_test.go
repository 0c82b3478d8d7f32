//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonWriter writes random JSON, and knows its value without parsing.
type jsonWriter struct {
	random *rand.Rand
	// steep nests objects in the current message. reached is the largest depth so far.
	steep   bool
	reached int
}

func newJSONWriter(seed uint64) *jsonWriter {
	return &jsonWriter{random: rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15))}
}

// deepest is the largest depth of a message.
const deepest = 20

// message is an object, mostly with this uuid.
func (w *jsonWriter) message(uuid string) (text string, value any) {
	var given map[string]any
	if w.random.IntN(10) > 0 {
		given = map[string]any{"uuid": uuid}
	}
	w.steep = w.random.IntN(20) == 0
	return w.object(deepest-1, given)
}

// value is a random value of at most this depth.
func (w *jsonWriter) value(levels int) (text string, value any) {
	kind := w.random.IntN(10)
	switch {
	case levels == 0:
		kind %= 7
	case w.steep:
		kind = 7 + w.random.IntN(3)
	}
	switch kind {
	case 0:
		return "null", nil
	case 1:
		return "true", true
	case 2:
		return "false", false
	case 3, 4:
		n := w.number()
		return n, json.Number(n)
	case 5, 6:
		return w.string(w.text())
	case 7:
		return w.array(levels - 1)
	default:
		return w.object(levels-1, nil)
	}
}

// size is the number of members: few mostly, and often one, so that a few messages are deep.
func (w *jsonWriter) size() int {
	if w.steep {
		return 1
	}
	switch w.random.IntN(10) {
	case 0:
		return 0
	case 1:
		return 2 + w.random.IntN(6)
	case 2:
		return 2
	default:
		return 1
	}
}

// levels is the remaining depth.
func (w *jsonWriter) array(levels int) (text string, value any) {
	w.reached = max(w.reached, deepest-levels)
	texts, list := []string{}, []any{}
	for range w.size() {
		t, v := w.value(levels)
		texts, list = append(texts, w.space()+t+w.space()), append(list, v)
	}
	return "[" + strings.Join(texts, ",") + w.spaceIf(len(list) == 0) + "]", list
}

func (w *jsonWriter) object(levels int, given map[string]any) (text string, value any) {
	w.reached = max(w.reached, deepest-levels)
	members := map[string]any{}
	var texts []string
	add := func(key, t string, v any) {
		k, _ := w.string(key)
		texts = append(texts, w.space()+k+w.space()+":"+w.space()+t+w.space())
		members[key] = v
	}
	for key, v := range given {
		t, _ := w.string(fmt.Sprint(v))
		add(key, t, v)
	}
	for range w.size() + len(given)*3 {
		key := w.key()
		if _, there := members[key]; there {
			continue
		}
		t, v := w.value(levels)
		add(key, t, v)
	}
	w.random.Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
	return "{" + strings.Join(texts, ",") + w.spaceIf(len(texts) == 0) + "}", members
}

// keys are names that a component on the path gives a meaning.
var keys = []string{
	"", ".", "a.b", "a", "b", "a.b.c", "@timestamp", "@metadata", "_id", "message", "host", "type", "rxtxMsg", "clientIp", "headers",
	"beat", "agent", "ecs", "tags", "fields", "seq", "time", "uuid", "producer", "label", "key", "payload", "size", "messages",
	"Key", "KEY", "null", "true", "0", " ", "\x00", "\"", "\\", "/", "é", "e\u0301", "😀",
}

func (w *jsonWriter) key() string {
	if w.random.IntN(3) > 0 {
		return keys[w.random.IntN(len(keys))]
	}
	return w.text()
}

// text is a string of any characters.
func (w *jsonWriter) text() string {
	var s strings.Builder
	n := w.random.IntN(12)
	if w.random.IntN(50) == 0 {
		n = w.random.IntN(3000)
	}
	for range n {
		s.WriteRune(w.character())
	}
	return s.String()
}

func (w *jsonWriter) character() rune {
	var r rune
	switch w.random.IntN(8) {
	case 0:
		r = w.random.Int32N(0x20) // control characters
	case 1:
		r = []rune("\"\\/<>&'\u007f\u2028\u2029\ufeff\ufffd\uffff\u0000")[w.random.IntN(14)]
	case 2:
		r = w.random.Int32N(0x800)
	case 3:
		r = w.random.Int32N(0x10000)
	case 4:
		r = 0x10000 + w.random.Int32N(0x100000) // needs a surrogate pair
	default:
		r = ' ' + w.random.Int32N(0x5f)
	}
	if !utf8.ValidRune(r) {
		return 'x'
	}
	return r
}

// string writes a string, each character in one of its spellings.
func (w *jsonWriter) string(s string) (text string, value any) {
	var b strings.Builder
	b.WriteByte('"')
	escapes := w.random.IntN(3) // only the required ones, a few, many
	for _, r := range s {
		short := strings.IndexRune("\"\\/\b\f\n\r\t", r)
		must := r < ' ' || r == '"' || r == '\\'
		switch {
		case short >= 0 && (must || escapes > 0) && w.random.IntN(4) > 0:
			b.WriteByte('\\')
			b.WriteByte(`"\/bfnrt`[short])
		case must || w.random.IntN(4) < escapes:
			w.escape(&b, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String(), s
}

// escape writes a character as \u and four digits, twice for a surrogate pair.
func (w *jsonWriter) escape(b *strings.Builder, r rune) {
	format := []string{`\u%04x`, `\u%04X`}[w.random.IntN(2)]
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		fmt.Fprintf(b, format, high)
		r = low
	}
	fmt.Fprintf(b, format, r)
}

// number is a number in any spelling.
func (w *jsonWriter) number() string {
	sign := []string{"", "", "-"}[w.random.IntN(3)]
	switch w.random.IntN(9) {
	case 0:
		return sign + []string{"0", "0.0", "0e0", "0E+10", "1", "10", "1e2", "1E+2", "1.0", "0.1", "1e-7", "1e999", "5e-324"}[w.random.IntN(13)]
	case 1:
		return sign + strconv.Itoa(w.random.IntN(1000))
	case 2:
		return strconv.FormatInt(int64(w.random.Uint64()), 10)
	case 3:
		return sign + strconv.FormatUint(w.random.Uint64()>>w.random.IntN(64), 10)
	case 4: // near the borders of 53 and 64 bits
		edge := []uint64{1 << 53, 1 << 63, math.MaxUint64 - 3}[w.random.IntN(3)]
		return sign + strconv.FormatUint(edge-4+w.random.Uint64N(8), 10)
	case 5: // more than 64 bits
		return sign + w.digits(18+w.random.IntN(30))
	case 6:
		f := math.Float64frombits(w.random.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			f = 0.5
		}
		return strconv.FormatFloat(f, []byte("eEg")[w.random.IntN(3)], -1, 64)
	case 7:
		return sign + w.digits(1+w.random.IntN(8)) + "." + w.tail(1+w.random.IntN(20))
	default:
		return sign + w.digits(1+w.random.IntN(4)) + "." + w.tail(1+w.random.IntN(8)) +
			[]string{"e", "E", "e+", "e-", "E+", "E-"}[w.random.IntN(6)] + w.tail(1+w.random.IntN(3))
	}
}

// digits are some digits, the first one not zero.
func (w *jsonWriter) digits(n int) string {
	return strconv.Itoa(1+w.random.IntN(9)) + w.tail(n-1)
}

func (w *jsonWriter) tail(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(byte('0' + w.random.IntN(10)))
	}
	return b.String()
}

// space is whitespace between two tokens, without a newline: a message must fit into a line.
func (w *jsonWriter) space() string {
	return []string{"", "", "", "", " ", "\t", "  ", "\r"}[w.random.IntN(8)]
}

func (w *jsonWriter) spaceIf(yes bool) string {
	if !yes {
		return ""
	}
	return w.space()
}
