package batch

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A key or a string at its limit is accepted. With one byte more it is refused with its position. Escapes count as the bytes that
// they stand for.
func TestKeysAndStringsHaveALimit(t *testing.T) {
	const limit = 12
	texts := map[string]struct{ at, beyond string }{ // between quotes
		"plain":         {strings.Repeat("x", limit), strings.Repeat("x", limit+1)},
		"of two bytes":  {strings.Repeat("é", limit/2), strings.Repeat("é", limit/2) + "x"},
		"an escape":     {strings.Repeat(`\n`, limit), strings.Repeat(`\n`, limit+1)},
		"a code point":  {strings.Repeat(`\u20ac`, limit/3), strings.Repeat(`\u20ac`, limit/3) + "x"},
		"two as a pair": {strings.Repeat(`\ud83d\ude00`, limit/4), strings.Repeat(`\ud83d\ude00`, limit/4) + "x"},
	}
	for form, c := range map[string]struct {
		body   string // with %s for the text
		lines  bool
		key    bool
		offset int64
		index  int
		line   int
	}{
		"key":                   {`[{},{"%s":1}]`, false, true, 5, 1, 0},
		"key below":             {`[{"a":[{"b":{"%s":1}}]}]`, false, true, 13, 0, 0},
		"key in a line":         {"{}\n{\"%s\":1}\n", true, true, 4, 1, 2},
		"string":                {`[{},{"a":"%s"}]`, false, false, 9, 1, 0},
		"string in an array":    {`[{"a":[1, "%s"]}]`, false, false, 10, 0, 0},
		"string of an envelope": {`{"messages":[{"a":"%s"}]}`, false, false, 18, 0, 0},
		"string in a line":      {"{}\n{\"a\":\"%s\"}", true, false, 8, 1, 2},
	} {
		for name, text := range texts {
			t.Run(form+", "+name, func(t *testing.T) {
				o, reason, what := Options{Lines: c.lines, MaxStringBytes: limit}, StringTooLong, "string"
				if c.key {
					o, reason, what = Options{Lines: c.lines, MaxKeyBytes: limit}, KeyTooLong, "key"
				}
				_, err := Decode(fmt.Appendf(nil, c.body, text.at), o)
				require.NoError(t, err)
				got, err := Decode(fmt.Appendf(nil, c.body, text.beyond), o)
				require.Zero(t, got)
				require.Equal(t, &Error{reason, c.offset, c.index, c.line, fmt.Sprintf("a %s is longer than 12 bytes", what)}, err)
			})
		}
	}
}

// Only keys and strings of messages are limited: max_key_bytes may be shorter than the key messages.
func TestKeysAndStringsOutsideOfMessagesHaveNoLimit(t *testing.T) {
	const body = `{"messages":[{"k":1}],"uuid":{"longer":"longest"}}`
	_, err := Decode([]byte(body), Options{MaxKeyBytes: 1, MaxStringBytes: 1})
	require.NoError(t, err)
}

// The limit of strings holds for a number that becomes a string. It does not hold for a number that stays a number: its text has
// at most 24 characters.
func TestDigitsThatBecomeAStringHaveALimit(t *testing.T) {
	const limit = 30
	o := Options{MaxStringBytes: limit}
	nines := strings.Repeat("9", limit)
	_, err := Decode([]byte(`[{"n":`+nines+`}]`), o)
	require.NoError(t, err)
	_, err = Decode([]byte(`[{"n":`+nines+`9}]`), o)
	require.Equal(t, &Error{StringTooLong, 6, 0, 0, "a string is longer than 30 bytes"}, err)

	got, err := Decode([]byte(`[{"n":1.5`+strings.Repeat("0", limit)+`}]`), o)
	require.NoError(t, err)
	require.InDelta(t, 1.5, got.Messages[0].Fields["n"], 0)
}

// Options cannot raise a limit above the limit of Logstash.
func TestTheHighestLimitsHold(t *testing.T) {
	most := Options{MaxKeyBytes: 1 << 30, MaxStringBytes: 1 << 30}
	for name, c := range map[string]struct {
		body   func(n int) string
		limit  int
		o      Options
		reason Reason
	}{
		"key, default":    {func(n int) string { return `[{"` + strings.Repeat("k", n) + `":1}]` }, 32 << 10, Options{}, KeyTooLong},
		"key, highest":    {func(n int) string { return `[{"` + strings.Repeat("k", n) + `":1}]` }, 50_000, most, KeyTooLong},
		"string, default": {func(n int) string { return `[{"k":"` + strings.Repeat("s", n) + `"}]` }, 20_000_000, Options{}, StringTooLong},
		"digits, highest": {func(n int) string { return `[{"k":` + strings.Repeat("9", n) + `}]` }, 20_000_000, most, StringTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode([]byte(c.body(c.limit)), c.o)
			require.NoError(t, err)
			_, err = Decode([]byte(c.body(c.limit+1)), c.o)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.reason, e.Reason)
		})
	}
}
