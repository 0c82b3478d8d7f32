package publish

import (
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	codec "github.com/elastic/beats/v7/libbeat/outputs/codec/json"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/lumbersink"
)

// highest has limits above all that the configuration allows.
var highest = batch.Options{MaxDepth: 1 << 30, MaxKeyBytes: 1 << 30, MaxStringBytes: 1 << 30}

// written returns the events of a body as the Logstash output writes them (libbeat/outputs/logstash/enc.go). The error is the
// error of the decoder.
func written(t require.TestingT, target string, body []byte, o inflight.Origin, escapeHTML bool) (events [][]byte, err error) {
	decoded, err := batch.Decode(body, highest)
	if err != nil {
		return nil, err
	}
	s := event.DefaultSettings()
	s.Target = target
	require.NoError(t, s.Check(""))
	p := &Publisher{settings: Settings{DocumentID: inflight.UUIDID, Form: event.NewForm(s)}}
	encoder := codec.New("9.9.9", codec.Config{EscapeHTML: escapeHTML})
	for _, m := range decoded.Messages {
		made := p.newEvent(p.settings.Form, m, o, nil)
		text, err := encoder.Encode("rtbeat", &made)
		require.NoError(t, err)
		require.True(t, json.Valid(text))
		events = append(events, append([]byte(nil), text...))
	}
	return events, nil
}

// Logstash reads every message that the decoder accepts. Otherwise Logstash closes the connection, and libbeat sends the message again
// for ever. The messages are at the limits, and beyond.
func TestLogstashReadsAcceptedMessages(t *testing.T) {
	require.NoError(t, flag.Set("rapid.checks", "500"))     // 100 with -short: enough for each kind at its limit
	accepted, refused := map[string]int{}, map[string]int{} // by kind: the largest, and how many
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]string{"depth", "key", "number", "text"}).Draw(t, "kind")
		message, size := drawMessage(t, kind)
		o := inflight.Origin{Received: time.Now(), ClientIP: "192.0.2.1"}
		target := rapid.SampledFrom([]string{"rxtxMsg", "", "a.b.c.d.e"}).Draw(t, "target")
		events, err := written(t, target, []byte("["+message+"]"), o, rapid.Bool().Draw(t, "escape_html"))
		if err != nil {
			refused[kind]++
			return
		}
		accepted[kind] = max(accepted[kind], size)
		require.Len(t, events, 1)
		require.NoError(t, lumbersink.CheckJSON(events[0]))
	})
	t.Logf("largest accepted: %v, number of refused: %v", accepted, refused)
	require.Greater(t, accepted["depth"], 950, "deep enough")
	require.Greater(t, accepted["key"], 45_000, "long enough")
	require.Greater(t, accepted["number"], 1000, "long enough")
}

// drawMessage draws a message that is large in one way, and its size in that way.
func drawMessage(t *rapid.T, kind string) (message string, size int) {
	digits := func(name string, lengths ...int) string {
		n := rapid.SampledFrom(lengths).Draw(t, name)
		return strings.Repeat(rapid.StringMatching(`[1-9]`).Draw(t, name+" digit"), n)
	}
	value := rapid.SampledFrom([]string{"1", "null", `"x"`, "{}", "[]", "-0", "1e308", `""`}).Draw(t, "value")
	switch kind {
	case "depth":
		size = rapid.SampledFrom([]int{960, 989, 990, 991, 999, 1000, 1001}).Draw(t, "levels")
		open := rapid.SliceOfN(rapid.SampledFrom([]string{"[", `{"k":`}), size-1, size-1).Draw(t, "brackets")
		var end strings.Builder
		for i := range open {
			end.WriteString(map[string]string{"[": "]", `{"k":`: "}"}[open[len(open)-1-i]])
		}
		return `{"k":` + strings.Join(open, "") + "1" + end.String() + "}", size
	case "key":
		part := rapid.SampledFrom([]string{"k", "é", "€", "😀", "\u2028", `\n`, `\"`, `\\`, `\u0000`, `\u007f`, `\ud83d\ude00`, "<"}).Draw(t, "part")
		var one string
		if err := json.Unmarshal([]byte(`"`+part+`"`), &one); err != nil {
			t.Fatal(err)
		}
		size = rapid.SampledFrom([]int{1, 32 << 10, 49_997, 49_999, 50_000, 50_001, 50_002, 65_537}).Draw(t, "bytes")
		key := strings.Repeat(part, size/len(one)) + strings.Repeat("x", size%len(one))
		shape := rapid.SampledFrom([]string{`{"%s":%s}`, `{"a":[1,{"%s":%s}]}`, `{"uuid":"u","a":{"%s":%s}}`}).Draw(t, "shape")
		return fmt.Sprintf(shape, key, value), size
	case "number":
		text := rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign") + digits("whole", 1, 15, 17, 18, 19, 20, 308, 309, 999, 1000, 1001, 1200)
		if rapid.Bool().Draw(t, "has fraction") {
			text += "." + rapid.SampledFrom([]string{"", strings.Repeat("0", 400)}).Draw(t, "zeros") + digits("fraction", 1, 15, 17, 18, 324, 999, 1000, 1001, 1200)
		}
		if rapid.Bool().Draw(t, "has exponent") {
			text += rapid.SampledFrom([]string{"e", "E", "e+", "e-", "e0000000"}).Draw(t, "e") + digits("exponent", 1, 2, 3, 1000, 1001)
		}
		if rapid.Bool().Draw(t, "a float at the edge") {
			text = rapid.SampledFrom([]string{
				"5e-324", "-5e-324", "2.2250738585072014e-308", "1.7976931348623157e308", "-1.7976931348623157e+308", "1" + strings.Repeat("0", 308),
				"0." + strings.Repeat("0", 323) + "5", "18446744073709551615", "-9223372036854775808", "0." + strings.Repeat("0", 1100) + "1e1100",
			}).Draw(t, "float")
		}
		return fmt.Sprintf(`{"n":%s,"a":[%s],"uuid":%s}`, text, text, text), len(text)
	default:
		size = rapid.SampledFrom([]int{0, 1, 511, 512, 513, 50_001, 100_000}).Draw(t, "characters")
		part := rapid.SampledFrom([]string{"s", "é", "😀", `\"`, `\\`, `{`, "\u2029", "&"}).Draw(t, "part")
		text := `"` + strings.Repeat(part, size) + `"`
		return fmt.Sprintf(`{"uuid":%s,"a":[%s],"b":%s}`, text, text, value), size
	}
}

// A message with the longest of everything, and copied headers of the greatest length.
func TestLogstashReadsTheLongestMessage(t *testing.T) {
	for name, value := range map[string]string{
		"string": `"` + strings.Repeat("s", batch.HighestMaxStringBytes) + `"`,
		"levels": strings.Repeat("[", batch.HighestMaxDepth-1) + strings.Repeat("]", batch.HighestMaxDepth-1),
	} {
		t.Run(name, func(t *testing.T) {
			o := inflight.Origin{
				Received: time.Now(), ClientIP: "2001:db8::1",
				Headers: map[string]string{strings.Repeat("x", 1<<10): strings.Repeat("y", 1<<20+4<<10)}, // the highest max_header_bytes, and the bytes that Go adds
				Path:    "/\xff" + strings.Repeat("p", 1<<20),
				Sender:  strings.Repeat("s", 1<<10),
				Trace:   inflight.Trace{ID: strings.Repeat("a", 32), SpanID: strings.Repeat("b", 16)},
			}
			body := `[{"` + strings.Repeat("k", batch.HighestMaxKeyBytes) + `":` + value + `}]`
			targets := []string{"rxtxMsg"}
			if name == "levels" {
				targets = append(targets, "", "a.b.c.d.e")
			}
			for _, target := range targets {
				events, err := written(t, target, []byte(body), o, true)
				require.NoError(t, err)
				require.NoError(t, lumbersink.CheckJSON(events[0]))
				require.Greater(t, len(events[0]), len(body))
			}

			_, err := written(t, "", []byte(strings.Replace(body, "k", "kk", 1)), o, true)
			require.Error(t, err)
		})
	}
}
