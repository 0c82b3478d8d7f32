package lumbersink

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each limit of Logstash is reached, and exceeded by one. The limit of strings is lowered, for speed.
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
		"integer":         {`[-` + repeat("9", 1000) + `]`, `[-` + repeat("9", 1001) + `]`, "a number of more than 1000 digits at offset 1"},
		"float":           {`[0.` + repeat("9", 997) + `e-10]`, `[0.` + repeat("9", 998) + `e-10]`, "a number of more than 1000 digits at offset 1"},
		"string of pairs": {`["` + repeat("😀", 1000) + `"]`, `["` + repeat("😀", 1000) + `s"]`, "a string of more than 2000 characters at offset 1"},
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

// As Logstash does, the sink closes the connection and acknowledges nothing of the window.
func TestAnEventThatLogstashCannotReadIsAFailure(t *testing.T) {
	for name, opt := range map[string]Option{"kept": WithKeep(10), "discarded": WithKeep(0)} {
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

func BenchmarkCheckJSON(b *testing.B) {
	event := []byte(`{"@timestamp":"2026-03-01T12:00:00.000Z","rxtxMsg":{"payload":[` + strings.TrimSuffix(strings.Repeat(`{"temperature":180.25,"unit":"celsius/percent"},`, 100), ",") + `]}}`)
	for name, check := range map[string]func() bool{
		"check": func() bool { return CheckJSON(event) == nil },
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
