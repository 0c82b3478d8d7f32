package lumbersink

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Each of Logstash's limits is reached, and exceeded by one; that of strings is lowered, to spare the time.
func TestCheckJSONHasLogstashsLimits(t *testing.T) {
	require.Equal(t, jsonLimits{keyBytes: 50_000, stringChars: 20_000_000, digits: 1000, levels: 1000}, logstash)
	l := logstash
	l.stringChars = 2000
	repeat := strings.Repeat
	levels := func(n int) string { return repeat(`{"k":[`, n/2) + repeat(`]}`, n/2) }
	for name, c := range map[string]struct{ at, beyond, what string }{
		"key":             {`{"` + repeat("k", 50_000) + `":1}`, `{"` + repeat("k", 50_001) + `":1}`, "a key of more than 50000 bytes at offset 1"},
		"key of umlauts":  {`{"` + repeat("ü", 25_000) + `":1}`, `{"` + repeat("ü", 25_000) + `k":1}`, "a key of more than 50000 bytes at offset 1"},
		"key of escapes":  {`{"` + repeat(`\n`, 50_000) + `" : 1}`, `{"` + repeat(`\n`, 50_001) + `" : 1}`, "a key of more than 50000 bytes at offset 1"},
		"string":          {`{"k":"` + repeat("s", 2000) + `"}`, `{"k":"` + repeat("s", 2001) + `"}`, "a string of more than 2000 characters at offset 5"},
		"string of euros": {`["` + repeat("€", 2000) + `"]`, `["` + repeat("€", 2001) + `"]`, "a string of more than 2000 characters at offset 1"},
		"integer":         {`[-` + repeat("9", 1000) + `]`, `[-` + repeat("9", 1001) + `]`, "a number of more than 1000 digits at offset 2"},
		"float":           {`[0.` + repeat("9", 997) + `e-10]`, `[0.` + repeat("9", 998) + `e-10]`, "a number of more than 1000 digits at offset 1"},
		"levels":          {levels(1000), `[` + levels(1000) + `]`, "more than 1000 levels at offset 3000"},
	} {
		t.Run(name, func(t *testing.T) {
			require.True(t, json.Valid([]byte(c.at)))
			require.True(t, json.Valid([]byte(c.beyond)))
			require.NoError(t, l.check([]byte(c.at)))
			require.ErrorContains(t, l.check([]byte(c.beyond)), c.what)
		})
	}
}

// The scan finds what a whole parser finds, with limits that are within reach.
func TestCheckJSONAgreesWithAParser(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := jsonLimits{
			keyBytes: rapid.IntRange(0, 6).Draw(t, "key"), stringChars: rapid.IntRange(0, 6).Draw(t, "string"),
			digits: rapid.IntRange(1, 6).Draw(t, "digits"), levels: rapid.IntRange(1, 4).Draw(t, "levels"),
		}
		text := drawJSON(t, 4)
		require.True(t, json.Valid([]byte(text)), text)
		require.Equal(t, l.parse([]byte(text)) == nil, l.check([]byte(text)) == nil, "%+v: %s", l, text)
	})
}

// drawJSON draws a value of at most levels levels. Pairs of surrogates are not escaped: Jackson and encoding/json count them
// in different ways.
func drawJSON(t *rapid.T, levels int) string {
	text := func(name string) string {
		return `"` + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{
			"a", `\"`, `\\`, `\n`, "é", "€", "😀", `\u0041`, `\u007f`, `\u0080`, `\u07ff`, `\u0800`, `\u20ac`, "{", "]", "9", ":", ",", " ",
		}), 0, 5).Draw(t, name), "") + `"`
	}
	space := func() string { return rapid.SampledFrom([]string{"", "", " ", "\n\t"}).Draw(t, "space") }
	kind := rapid.IntRange(0, 4).Draw(t, "kind")
	if levels == 0 {
		kind %= 3
	}
	var parts []string
	switch kind {
	case 0:
		return rapid.SampledFrom([]string{"true", "false", "null"}).Draw(t, "literal")
	case 1:
		return text("string")
	case 2:
		return rapid.StringMatching(`-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "number")
	case 3:
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			parts = append(parts, space()+drawJSON(t, levels-1)+space())
		}
		return "[" + strings.Join(parts, ",") + "]"
	default:
		for range rapid.IntRange(0, 3).Draw(t, "members") {
			parts = append(parts, space()+text("key")+space()+":"+space()+drawJSON(t, levels-1)+space())
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
}

// The sink does with such an event what Logstash does: it closes the connection, and acknowledges nothing of the window.
func TestAnEventThatLogstashCannotReadIsAFailure(t *testing.T) {
	for name, opt := range map[string]Option{"kept": WithKeep(10), "discarded": WithDiscard()} {
		t.Run(name, func(t *testing.T) {
			s, failures := failing(t, opt)
			bad := dial(t, s)
			require.NoError(t, bad.Send([]any{`{"good":1}`, `{"` + strings.Repeat("k", 50_001) + `":1}`, `{"good":2}`}))
			requireCut(t, bad)
			require.ErrorContains(t, next(t, failures), "event of 50007 bytes cannot be read by Logstash: a key of more than 50000 bytes at offset 1")
			require.Zero(t, s.Received())
			require.Zero(t, s.Acked())

			good := dial(t, s)
			require.NoError(t, good.Send([]any{`{"` + strings.Repeat("k", 50_000) + `":1}`}))
			requireAck(t, good, 1)
		})
	}
}

func TestCheckJSONAllocatesNothing(t *testing.T) {
	event := []byte(`{"a":[` + strings.Repeat(`{"k":"v\n","n":-1.5e10},`, 500) + `null]}`)
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = CheckJSON(event) }))
}

func BenchmarkCheckJSON(b *testing.B) {
	event := []byte(`{"@timestamp":"2026-03-01T12:00:00.000Z","rxtxMsg":{"payload":[` + strings.TrimSuffix(strings.Repeat(`{"temperature":180.25,"unit":"celsius/percent"},`, 100), ",") + `]}}`)
	for name, check := range map[string]func() bool{
		"scan":  func() bool { return CheckJSON(event) == nil },
		"valid": func() bool { return json.Valid(event) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(event)))
			b.ReportAllocs()
			for b.Loop() {
				if !check() {
					b.Fatal("refused")
				}
			}
		})
	}
}

// parse is check by way of encoding/json.
func (l *jsonLimits) parse(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var isObject []bool
	var isKey bool // of the next string
	value := func() { isKey = len(isObject) > 0 && isObject[len(isObject)-1] }
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		wrong := false
		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '{', '[':
				isObject = append(isObject, v == '{')
				wrong = len(isObject) > l.levels
				isKey = v == '{'
			default:
				isObject = isObject[:len(isObject)-1]
				value()
			}
		case string:
			if isKey {
				wrong = len(v) > l.keyBytes
				isKey = false
				break
			}
			wrong = len(utf16.Encode([]rune(v))) > l.stringChars
			value()
		case json.Number:
			digits := strings.Map(func(r rune) rune {
				if '0' <= r && r <= '9' {
					return r
				}
				return -1
			}, v.String())
			wrong = len(digits) > l.digits
			value()
		default:
			value()
		}
		if wrong {
			return errors.New("beyond a limit")
		}
	}
}
