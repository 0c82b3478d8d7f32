//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// seedEnv repeats a run of random messages.
const seedEnv = "RTBEAT_SEED"

// randomMessages is the least number of random messages.
const randomMessages = 5000

// Random JSON, in every form and coding, arrives at the sink as it was sent.
func TestRandomMessagesArriveAsSent(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv(seedEnv); given != "" {
		var err error
		seed, err = strconv.ParseUint(given, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("%s=%d repeats this run", seedEnv, seed)
	w := newJSONWriter(seed)
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr()})
	c := &carrier{client: harness.NewClient(t), beat: b, sink: sink, random: w.random}

	sent := 0
	for sent < randomMessages {
		batch := make([]sentMessage, 1+w.random.IntN(60))
		for i := range batch {
			for batch[i].value == nil || isBatch(batch[i].value) {
				batch[i].text, batch[i].value = w.message(fmt.Sprintf("r-%d", sent+i))
			}
		}
		c.carry(t, batch)
		sent += len(batch)
	}
	require.Equal(t, sent, sink.Received())
	require.Equal(t, c.asStrings, int(b.Metric("rtbeat_numbers_as_strings_total")))
	require.Positive(t, c.asStrings, "no number was large enough")
	require.Equal(t, deepest, w.reached, "levels")
	t.Logf("%d messages, with %d numbers that came as strings", sent, c.asStrings)
}

// Known difficult messages arrive as sent.
func TestNastyMessagesArriveAsSent(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"max_depth": 990}})
	c := &carrier{client: harness.NewClient(t), beat: b, sink: sink, random: rand.New(rand.NewPCG(1, 2))}
	var batch []sentMessage
	for _, text := range nastyMessages() {
		value, err := decodeNumbers([]byte(text))
		require.NoError(t, err, text)
		batch = append(batch, sentMessage{text, value})
		c.carry(t, []sentMessage{{text, value}}) // without a uuid, the second sending below is not deduped
	}
	c.carry(t, batch)
	require.Equal(t, c.asStrings, int(b.Metric("rtbeat_numbers_as_strings_total")))
}

// isBatch reports whether a message has the keys of a batch and no other: outside of an array it would be one.
func isBatch(message any) bool {
	fields, _ := message.(map[string]any)
	list, found := fields["messages"]
	_, isArray := list.([]any)
	for key := range fields {
		if !slices.Contains([]string{"messages", "uuid", "size"}, key) {
			return false
		}
	}
	return found && (isArray || list == nil)
}

// sentMessage is a message as text, with its value. Its numbers are json.Number, as written.
type sentMessage struct {
	text  string
	value any
}

// carrier sends batches and compares the events.
type carrier struct {
	client    *harness.Client
	beat      *harness.Beat
	sink      *lumbersink.Sink
	random    *rand.Rand
	seen      int
	asStrings int
}

// carry sends a batch in a form and a coding, and compares its events.
func (c *carrier) carry(t *testing.T, batch []sentMessage) {
	t.Helper()
	form := bodyForms[c.random.IntN(len(bodyForms))]
	coding := bodyCodings[c.random.IntN(len(bodyCodings))]
	texts := make([]string, len(batch))
	for i, m := range batch {
		texts[i] = m.text
	}
	body := form.write(texts)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.beat.Addr+"/in",
		strings.NewReader(string(coding.encode([]byte(body)))))
	require.NoError(t, err)
	for _, h := range []string{form.contentType, coding.header} {
		if name, value, is := strings.Cut(h, ":"); is {
			req.Header.Set(name, strings.TrimSpace(value))
		}
	}
	a := c.client.Do(req)
	require.NoError(t, a.Err)
	require.Equal(t, http.StatusOK, a.Code, "%s, %s: %s\n%s", form.name, coding.name, a.Raw, body)
	require.Equal(t, len(batch), a.Body.Messages)
	require.Zero(t, a.Body.Coalesced)

	events := c.sink.Events()[c.seen:]
	c.seen += len(events)
	require.Len(t, events, len(batch))
	for i, m := range batch {
		var event struct {
			Message json.RawMessage `json:"rxtxMsg"`
		}
		require.NoError(t, json.Unmarshal(events[i].Raw, &event))
		n, err := compareValue(m.value, event.Message)
		require.NoError(t, err, "%s, %s:\nsent    %s\narrived %s", form.name, coding.name, m.text, event.Message)
		c.asStrings += n
	}
}

// nastyMessages break a careless parser.
func nastyMessages() []string {
	deep := func(open, end string, n int) string {
		return `{"k":` + strings.Repeat(open, n) + "0" + strings.Repeat(end, n) + "}"
	}
	var wide strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&wide, `"key-%d":%d,`, i, i)
	}
	return []string{
		`{}`, `{"":""}`, `{"":{"":{"":null}}}`, `{"a":{"b":1},"a.b":2,"a.b.c":3}`, `{".":1,"..":2,"a.":3,".a":4}`,
		`{"@timestamp":"1970-01-01","@metadata":{"_id":"x","beat":"y"},"message":"m","host":{"name":"h"},"type":"t","rxtxMsg":{"rxtxMsg":1}}`,
		`{"clientIp":"1.2.3.4","headers":{"x":"y"},"agent":null,"ecs":null,"tags":["a"],"fields":{"b":1},"error":"e"}`,
		`{"uuid":null}`, `{"uuid":""}`, `{"uuid":{}}`, `{"uuid":["a"]}`, `{"uuid":true}`, `{"UUID":"A","Uuid":"b"}`,
		`{"seq":"1","time":"now","producer":"p","label":"l","key":"k","payload":null}`,
		`{"n":[0,-0,0.0,-0.0,0e0,0E-999999999999,-0e+5]}`,
		`{"n":[9007199254740991,9007199254740992,9007199254740993,-9007199254740993,9223372036854775807,9223372036854775808]}`,
		`{"n":[18446744073709551615,18446744073709551616,-9223372036854775808,-9223372036854775809,340282366920938463463374607431768211456]}`,
		`{"n":[0.1,0.2,0.30000000000000004,0.3,1.1,2.675,1.005,0.1000000000000000055511151231257827021181583404541015625]}`,
		`{"n":[1e21,1e22,1e23,1e-7,1E+2,1e02,123e-2,1.7976931348623157e308,1.7976931348623158e308,1.7976931348623159e308,1e309]}`,
		`{"n":[5e-324,4.9e-324,4e-324,2.2250738585072014e-308,2.2250738585072011e-308,1e-400,-1e999999999999999999]}`,
		`{"n":[1.0,10.0,100,1e2,1.00000000000000000000,12345678901234567890.0,0.00000000000000000000000000000000001]}`,
		`{"n":[9.007199254740993e15,9007199254740993.0,3.14159265358979323846264338327950288]}`,
		`{"n":` + strings.Repeat("9", 5000) + `,"m":0.` + strings.Repeat("0", 5000) + `1}`,
		`{"s":"\u0000\u0001\u001f\u007f\u0080\u00a0\u2028\u2029\ufeff\ufffd\uffff"}`,
		`{"s":"\"\\\/\b\f\n\r\t","t":"\u0022\u005c\u002F\u000a"}`,
		`{"s":"\ud83d\ude00 \uD800\uDC00 \udbff\udfff 😀"}`,
		`{"s":"<script>&amp;</script>","t":"'; DROP TABLE x; --","u":"${jndi:ldap://x}","v":"%{[@metadata][_id]}","w":"{{.}}"}`,
		`{"\u0061":1,"\u0000":2,"\ud83d\ude00":3,"a b":4,"\"":5,"\\":6,"\u00e9":7,"e\u0301":8}`,
		"{\"s\":\"\u202e\u200b\u0301\U0010ffff\"}",
		`{"true":true,"false":false,"null":null,"b":[true,false,null],"c":"true","d":"null","e":"1"}`,
		`{"a":[[],[[]],[{}],{"b":[]},[null],[[null]]]}`,
		`{"a":[1,"1",1.0,true,null,{},[]]}`,
		"{ \"a\" :\t[ 1 , 2 ]\r,  \"b\" : { } }",
		`{"s":"` + strings.Repeat("x", 100_000) + `"}`, `{"` + strings.Repeat("k", 10_000) + `":1}`,
		`{` + strings.TrimSuffix(wide.String(), ",") + `}`, `{"a":[` + strings.Repeat("0,", 20_000) + `0]}`,
		deep("[", "]", 989), deep(`{"a":`, "}", 500),
		`{"proto":{"__proto__":{"x":1},"constructor":{"prototype":1},"toString":"x","hasOwnProperty":0}}`,
		`{"date":"2024-02-30T25:61:61Z","dur":"5s","bytes":"AAAA","ip":"::1","float":"1.5e5"}`,
	}
}
