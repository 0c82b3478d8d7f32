package batch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// newRandom returns another source each time, or that of RTBEAT_SEED. The seed is printed with a failure, so that it
// can be repeated.
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

// checkModel compares a decoded batch with what encoding/json makes of the same body with UseNumber, which keeps
// the literals of all numbers.
func checkModel(body []byte, got Batch) error {
	reader := json.NewDecoder(bytes.NewReader(body))
	reader.UseNumber()
	var whole map[string]any
	if err := reader.Decode(&whole); err != nil {
		return fmt.Errorf("the model refuses the body: %w", err)
	}
	want, _ := whole["messages"].([]any)
	if len(want) != len(got.Messages) {
		return fmt.Errorf("%d messages instead of %d", len(got.Messages), len(want))
	}
	var asStrings int
	for i, m := range got.Messages {
		if err := checkValue(want[i], m.Fields, &asStrings); err != nil {
			return fmt.Errorf("message %d%w", i, err)
		}
		sent, _ := want[i].(map[string]any)
		if uuid, _ := sent["uuid"].(string); uuid != m.UUID {
			return fmt.Errorf("message %d: uuid %q instead of %q", i, m.UUID, uuid)
		}
	}
	if asStrings != got.NumbersAsStrings {
		return fmt.Errorf("%d numbers as strings instead of %d", got.NumbersAsStrings, asStrings)
	}
	return nil
}

// checkValue compares one value, and counts the numbers that became strings.
func checkValue(want, got any, asStrings *int) error {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok || got == nil || len(got) != len(want) {
			return fmt.Errorf(": no object of %d keys: %#v", len(want), got)
		}
		for _, key := range slices.Sorted(maps.Keys(want)) {
			v, ok := got[key]
			if !ok {
				return fmt.Errorf(": no key %q", key)
			}
			if err := checkValue(want[key], v, asStrings); err != nil {
				return fmt.Errorf("/%s%w", key, err)
			}
		}
		return nil
	case []any:
		got, ok := got.([]any)
		if !ok || got == nil || len(got) != len(want) {
			return fmt.Errorf(": no array of %d elements: %#v", len(want), got)
		}
		for i := range want {
			if err := checkValue(want[i], got[i], asStrings); err != nil {
				return fmt.Errorf("/%d%w", i, err)
			}
		}
		return nil
	case json.Number:
		if _, ok := got.(string); ok {
			*asStrings++
		}
		return checkNumber(want.String(), got)
	default: // string, bool, nil
		if got != want {
			return fmt.Errorf(": %#v instead of %#v", got, want)
		}
		return nil
	}
}

// checkNumber checks that got, written as libbeat writes it, has the value of the literal; or that it is the literal,
// and that nothing else would do.
func checkNumber(literal string, got any) error {
	whole := !strings.ContainsAny(literal, ".eE")
	var written string
	switch v := got.(type) {
	case int64:
		written = strconv.FormatInt(v, 10)
	case uint64:
		written = strconv.FormatUint(v, 10)
	case float64:
		if whole && literal != "-0" {
			return fmt.Errorf(": the integer %s became a float", literal)
		}
		written = strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		if v != literal {
			return fmt.Errorf(": %s became the string %q", literal, v)
		}
		_, errInt := strconv.ParseInt(literal, 10, 64)
		_, errUint := strconv.ParseUint(literal, 10, 64)
		f, errFloat := strconv.ParseFloat(literal, 64)
		float := strconv.FormatFloat(f, 'g', -1, 64)
		if errInt == nil || errUint == nil || !whole && errFloat == nil && canonical(float) == canonical(literal) {
			return fmt.Errorf(": %s became a string for no reason", literal)
		}
		return nil
	default:
		return fmt.Errorf(": %s became a %T", literal, got)
	}
	if canonical(written) != canonical(literal) {
		return fmt.Errorf(": %s became %s", literal, written)
	}
	return nil
}

// canonical returns the one form that all literals of the same value have. It is plain on purpose, so that it does
// not share its mistakes with the code it checks.
func canonical(literal string) string {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(literal), "e")
	e := new(big.Int)
	if exponent != "" {
		e.SetString(exponent, 10)
	}
	digits, negative := strings.CutPrefix(mantissa, "-")
	sign := ""
	if negative {
		sign = "-"
	}
	before, after, _ := strings.Cut(digits, ".")
	digits = strings.TrimLeft(before+after, "0")
	short := strings.TrimRight(digits, "0")
	if short == "" {
		return sign + "0"
	}
	e.Add(e, big.NewInt(int64(len(digits)-len(short)-len(after))))
	return sign + short + "e" + e.String()
}

// jsonWriter makes random JSON text, in all the ways in which the same value can be written.
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

func TestDecodeAgreesWithTheModel(t *testing.T) {
	w := &jsonWriter{Rand: newRandom(t)}
	for range 3_000 {
		body := w.batch()
		got, err := Decode(body)
		require.NoError(t, err, "%s", body)
		require.NoError(t, checkModel(body, got), "%s", body)
	}
}
