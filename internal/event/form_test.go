package event_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/inflight"
)

// message decodes one message.
func message(t testing.TB, text string) batch.Message {
	t.Helper()
	b, err := batch.Decode([]byte("["+text+"]"), batch.Options{})
	require.NoError(t, err)
	return b.Messages[0]
}

// fieldsOf is the event of a message as JSON, with its keys in order.
func fieldsOf(t testing.TB, form *event.Form, text string, o inflight.Origin) string {
	t.Helper()
	encoded, err := json.Marshal(form.Fields(message(t, text), o))
	require.NoError(t, err)
	return string(encoded)
}

// Without settings, the events are byte for byte those of the rtbeat before the settings existed.
func TestTheDefaultForm(t *testing.T) {
	form := event.NewForm(event.DefaultSettings())
	for name, tt := range map[string]struct {
		message string
		origin  inflight.Origin
		want    string
	}{
		"the message alone": {`{}`, inflight.Origin{}, `{"rxtxMsg":{},"type":"rtbeat"}`},
		"everything": {
			`{"uuid":"a","big":9007199254740993,"uint":18446744073709551615,"nothing":null,"a.b":{"":[1,2.5,"x",null,true]},"type":"mine","@timestamp":1}`,
			inflight.Origin{ClientIP: "192.0.2.7", Headers: map[string]string{"x-tenant": "a", "x.y": "b"}, Trace: inflight.Trace{ID: "4bf9", SpanID: "00f0"}},
			`{"clientIp":"192.0.2.7","headers":{"x-tenant":"a","x.y":"b"},"rxtxMsg":{"@timestamp":1,"a.b":{"":[1,2.5,"x",null,true]},"big":9007199254740993,` +
				`"nothing":null,"type":"mine","uint":18446744073709551615,"uuid":"a"},"span":{"id":"00f0"},"trace":{"id":"4bf9"},"type":"rtbeat"}`,
		},
		"sender and path": {
			`{"a":1}`, inflight.Origin{Source: "github", Sender: "alice", Path: "/hooks/a"},
			`{"rxtxMsg":{"a":1},"sender":"alice","type":"rtbeat","url":{"path":"/hooks/a"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, fieldsOf(t, form, tt.message, tt.origin))
		})
	}
}

func TestTypeAndTarget(t *testing.T) {
	for target, want := range map[string]string{
		"message":        `{"message":{"a":1},"type":"webhook"}`,
		"github.payload": `{"github":{"payload":{"a":1}},"type":"webhook"}`,
	} {
		form := event.NewForm(event.Settings{Type: "webhook", Target: target})
		require.Equal(t, want, fieldsOf(t, form, `{"a":1}`, inflight.Origin{}))
	}
}

// Processors change maps within events. Two events of a batch share none.
func TestEventsShareNoMap(t *testing.T) {
	form := event.NewForm(event.Settings{Type: "t", Target: "a.b"})
	o := inflight.Origin{Headers: map[string]string{"x": "y"}, Path: "/in", Trace: inflight.Trace{ID: "a", SpanID: "b"}}
	first, second := form.Fields(message(t, `{}`), o), form.Fields(message(t, `{}`), o)
	before := second.Clone()
	for _, key := range []string{"headers.x", "url.path", "trace.id", "span.id", "a.b.new", "a.new"} {
		_, err := first.Put(key, "changed")
		require.NoError(t, err)
	}
	require.Equal(t, before, second)
	require.Equal(t, map[string]string{"x": "y"}, o.Headers)
	require.NotEqual(t, mapstr.M(nil), before)
}

func TestCheck(t *testing.T) {
	good := event.DefaultSettings()
	require.NoError(t, good.Check("rtbeat."))
	for want, change := range map[string]func(*event.Settings){
		`rtbeat.sources.0.type is empty; it must be the value of the field type`:             func(s *event.Settings) { s.Type = "" },
		`rtbeat.sources.0.target is "a..b"; it must be the name of a field, such as rxtxMsg`: func(s *event.Settings) { s.Target = "a..b" },
		`rtbeat.sources.0.target is "."; it must be the name of a field, such as rxtxMsg`:    func(s *event.Settings) { s.Target = "." },
		`rtbeat.sources.0.fields.@metadata is no field of the event itself; use the processor add_fields to set it`: func(s *event.Settings) {
			s.Fields, s.FieldsUnderRoot = map[string]any{"@metadata": 1}, true
		},
		`rtbeat.sources.0.fields.event is where the message is; choose another name, or another target`: func(s *event.Settings) {
			s.Target, s.Fields, s.FieldsUnderRoot = "event.data", map[string]any{"event": 1}, true
		},
		`rtbeat.sources.0.fields has a value that JSON does not have: json: unsupported value: NaN`: func(s *event.Settings) {
			s.Fields = map[string]any{"n": math.NaN()}
		},
	} {
		s := event.DefaultSettings()
		change(&s)
		require.EqualError(t, s.Check("rtbeat.sources.0."), want)
	}
}

// The default form costs nothing beyond the message; all that a form adds to an event is charged.
func TestWeight(t *testing.T) {
	none := inflight.Origin{Headers: map[string]string{"x": "y"}, ClientIP: "192.0.2.1"}
	weigh := func(change func(*event.Settings), o inflight.Origin) int {
		s := event.DefaultSettings()
		change(&s)
		return event.NewForm(s).Weight(batch.Message{}, o)
	}
	require.Zero(t, weigh(func(*event.Settings) {}, none))
	require.Equal(t, 16, weigh(func(*event.Settings) {}, inflight.Origin{Sender: "alice"}))
	require.Equal(t, 67, weigh(func(*event.Settings) {}, inflight.Origin{Path: "/in"}))
	for name, change := range map[string]func(*event.Settings){
		"fields": func(s *event.Settings) { s.Fields = map[string]any{"a": strings.Repeat("x", 10_000)} },
		"tags":   func(s *event.Settings) { s.Tags = slices.Repeat([]string{"12345678"}, 1000) },
		"deep":   func(s *event.Settings) { s.Target = "a" + strings.Repeat(".a", 200) },
	} {
		require.Greater(t, weigh(change, none), 10_000, name)
	}
}
