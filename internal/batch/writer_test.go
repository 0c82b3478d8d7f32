package batch

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// newRandom returns a source with a new seed, or with RTBEAT_SEED. A failure prints the seed, so that it can be repeated.
func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("RTBEAT_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("RTBEAT_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// jsonWriter writes random JSON text, in all forms of the same value.
type jsonWriter struct {
	*rand.Rand
	bytes.Buffer
}

func (w *jsonWriter) space() {
	for w.IntN(8) == 0 {
		w.WriteByte(" \t\r\n"[w.IntN(4)])
	}
}

func (w *jsonWriter) quoted(s string) {
	w.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.WriteByte('\\')
			w.WriteRune(r)
		case r < ' ' || w.IntN(8) == 0 && r < 0x10000:
			fmt.Fprintf(w, []string{`\u%04x`, `\u%04X`}[w.IntN(2)], r)
		case r >= 0x10000 && w.IntN(2) == 0:
			fmt.Fprintf(w, `\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		default:
			w.WriteRune(r)
		}
	}
	w.WriteByte('"')
}

func (w *jsonWriter) word() string {
	alphabet := []rune("abcdé.€😀\x00\n\"\\/<>& \u2028\ufffd~")
	word := make([]rune, w.IntN(6))
	for i := range word {
		word[i] = alphabet[w.IntN(len(alphabet))]
	}
	return string(word)
}

func (w *jsonWriter) list(first, last byte, n int, element func()) {
	w.WriteByte(first)
	w.space()
	for i := range n {
		if i > 0 {
			w.WriteByte(',')
			w.space()
		}
		element()
		w.space()
	}
	w.WriteByte(last)
}

func (w *jsonWriter) object(depth int) {
	seen := map[string]bool{}
	w.list('{', '}', w.IntN(12), func() {
		key := w.word()
		for seen[key] {
			key += "'"
		}
		if w.IntN(10) == 0 && !seen["uuid"] {
			key = "uuid"
		}
		seen[key] = true
		w.quoted(key)
		w.space()
		w.WriteByte(':')
		w.space()
		w.value(depth - 1)
	})
}

func (w *jsonWriter) value(depth int) {
	switch n := w.IntN(10); {
	case n < 2 && depth > 0:
		w.object(depth)
	case n < 4 && depth > 0:
		w.list('[', ']', w.IntN(6), func() { w.value(depth - 1) })
	case n < 5:
		w.WriteString([]string{"true", "false", "null"}[w.IntN(3)])
	case n < 7:
		w.quoted(w.word())
	default:
		w.WriteString(randomNumber(w.Rand))
	}
}

// batch writes a body and returns it.
func (w *jsonWriter) batch() []byte {
	w.Reset()
	n := w.IntN(8)
	members := []func(){
		func() { w.WriteString(`"messages":`); w.list('[', ']', n, func() { w.object(4) }) },
		func() { w.WriteString(`"uuid":`); w.value(1) },
		func() { w.WriteString(`"extra":`); w.value(3) },
		func() { fmt.Fprintf(w, `"size":%d`, n) },
	}
	members = members[:1+w.IntN(len(members))]
	w.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	w.space()
	w.list('{', '}', len(members), func() { members[0](); members = members[1:] })
	w.space()
	return bytes.Clone(w.Bytes())
}

// array writes a body that is an array and returns it.
func (w *jsonWriter) array() []byte {
	w.Reset()
	w.space()
	w.list('[', ']', w.IntN(8), func() { w.object(4) })
	w.space()
	return bytes.Clone(w.Bytes())
}

// ndjson writes a body of lines and returns it.
func (w *jsonWriter) ndjson() []byte {
	var body []byte
	for range 1 + w.IntN(8) {
		w.Reset()
		w.space()
		w.object(4)
		w.space()
		// White space stands only between tokens, and there may be any.
		body = append(body, bytes.ReplaceAll(w.Bytes(), []byte("\n"), []byte("\r"))...)
		body = append(body, []string{"\n", "\r\n", "\n\n", "\n \t\n"}[w.IntN(4)]...)
	}
	if w.IntN(2) == 0 {
		body = bytes.TrimSuffix(body, []byte("\n"))
	}
	return body
}
