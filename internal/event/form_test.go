package event_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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
			`{"a":1}`,
			inflight.Origin{Source: "github", Sender: "alice", Path: "/hooks/a"},
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

// At the root, the message's fields are beside those of the event. Neither overwrites the other, and none is lost.
func TestAMessageAtTheRoot(t *testing.T) {
	o := inflight.Origin{ClientIP: "192.0.2.7"}
	for name, tt := range map[string]struct{ message, want string }{
		"empty":           {`{}`, `{"clientIp":"192.0.2.7","team":"a","type":"rtbeat"}`},
		"event as a text": {`{"event":"order.paid","event.kind":"a"}`, `{"clientIp":"192.0.2.7","event.kind":"a","rxtxMsg":{"event":"order.paid"},"team":"a","type":"rtbeat"}`},
		"no clash":        {`{"a":{"type":1},"event":{"id":2},"":3}`, `{"":3,"a":{"type":1},"clientIp":"192.0.2.7","event":{"id":2},"team":"a","type":"rtbeat"}`},
		"own names":       {`{"type":"push","clientIp":null,"a":1,"tags":"x"}`, `{"a":1,"clientIp":"192.0.2.7","rxtxMsg":{"clientIp":null,"tags":"x","type":"push"},"team":"a","type":"rtbeat"}`},
		"of Beats": {
			`{"@timestamp":"2020","@metadata":{"_id":"x"},"@metadata._id":"y","@version":1,"@t":2,"host":"h","host.name":"n","hosts":3}`,
			`{"@t":2,"clientIp":"192.0.2.7","hosts":3,"rxtxMsg":{"@metadata":{"_id":"x"},"@metadata._id":"y","@timestamp":"2020","@version":1,"host":"h","host.name":"n"},"team":"a","type":"rtbeat"}`,
		},
		"rxtxMsg":       {`{"rxtxMsg":{"type":1},"type":2}`, `{"clientIp":"192.0.2.7","rxtxMsg":{"rxtxMsg":{"type":1},"type":2},"team":"a","type":"rtbeat"}`},
		"of the source": {`{"team":"b","dc":"c"}`, `{"clientIp":"192.0.2.7","rxtxMsg":{"dc":"c","team":"b"},"team":"a","type":"rtbeat"}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := event.DefaultSettings()
			s.Target, s.Fields, s.FieldsUnderRoot = "", map[string]any{"team": "a"}, true
			require.NoError(t, s.Check(""))
			form := event.NewForm(s, "dc")
			fields := form.Fields(message(t, tt.message), o)
			require.NoError(t, mapstr.MergeFields(fields, form.Metadata().Fields, true)) // as libbeat does
			got, err := json.Marshal(fields)
			require.NoError(t, err)
			require.Equal(t, tt.want, string(got))
		})
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

// Logstash closes the connection at invalid UTF-8. The path /%FF has it.
func TestThePathIsValidUTF8(t *testing.T) {
	fields := event.NewForm(event.DefaultSettings()).Fields(message(t, `{}`), inflight.Origin{Path: "/\xff/a"})
	require.Equal(t, mapstr.M{"path": "/\uFFFD/a"}, fields["url"])
}

func TestCheck(t *testing.T) {
	good := event.DefaultSettings()
	require.NoError(t, good.Check("rtbeat."))
	for want, change := range map[string]func(*event.Settings){
		`rtbeat.sources.0.type is empty; it must be the value of the field type`:             func(s *event.Settings) { s.Type = "" },
		`rtbeat.sources.0.target is "a..b"; it must be the name of a field, such as rxtxMsg`: func(s *event.Settings) { s.Target = "a..b" },
		`rtbeat.sources.0.target is "."; it must be the name of a field, such as rxtxMsg`:    func(s *event.Settings) { s.Target = "." },
		`rtbeat.sources.0.target is "a.b.c.d.e.f"; it may have 5 names at most`:              func(s *event.Settings) { s.Target = "a.b.c.d.e.f" },
		`rtbeat.sources.0.target is "host.data", and rtbeat or libbeat writes the field host itself; choose another name`: func(s *event.Settings) {
			s.Target = "host.data"
		},
		`rtbeat.sources.0.fields.rxtxMsg is where the message is; choose another name, or another target`: func(s *event.Settings) {
			s.Target, s.Fields, s.FieldsUnderRoot = "", map[string]any{"rxtxMsg": 1}, true
		},
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
	require.Equal(t, 64, weigh(func(s *event.Settings) { s.Target = "" }, none))
	require.Equal(t, 67, weigh(func(*event.Settings) {}, inflight.Origin{Path: "/in"}))
	for name, change := range map[string]func(*event.Settings){
		"fields": func(s *event.Settings) { s.Fields = map[string]any{"a": strings.Repeat("x", 10_000)} },
		"tags":   func(s *event.Settings) { s.Tags = slices.Repeat([]string{"12345678"}, 1000) },
		"deep":   func(s *event.Settings) { s.Target = "a" + strings.Repeat(".a", 200) },
		"root":   func(s *event.Settings) { s.Target, s.Tags = "", slices.Repeat([]string{"12345678"}, 1000) },
	} {
		require.Greater(t, weigh(change, none), 10_000, name)
	}
}

// Whatever its names are, a message at the root can be put together again, and the event has the fields of the default form.
func TestAMessageAtTheRootIsWhole(t *testing.T) {
	s := event.DefaultSettings()
	s.Target = ""
	form, whole := event.NewForm(s), event.NewForm(event.DefaultSettings())
	o := inflight.Origin{ClientIP: "192.0.2.1", Sender: "a", Path: "/in", Trace: inflight.Trace{ID: "a", SpanID: "b"}, Headers: map[string]string{"a": "b"}}
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.OneOf(rapid.SampledFrom([]string{"rxtxMsg", "type", "clientIp", "url", "url.path", "trace", "@timestamp", "@metadata", "host", "."}), rapid.String())
		sent := rapid.MapOf(names, rapid.Int()).Draw(t, "message")
		message := func() batch.Message {
			fields := map[string]any{}
			for name, value := range sent {
				fields[name] = value
			}
			return batch.Message{Fields: fields}
		}
		got, want := form.Fields(message(), o), whole.Fields(message(), o)
		again := mapstr.M{}
		if displaced, ok := got["rxtxMsg"].(mapstr.M); ok {
			again.Update(displaced)
		}
		delete(got, "rxtxMsg")
		delete(want, "rxtxMsg")
		for name, value := range got {
			if _, isOwn := want[name]; isOwn {
				require.Equal(t, want[name], value)
				delete(want, name)
			} else {
				again[name] = value
			}
		}
		require.Empty(t, want)
		require.Len(t, again, len(sent))
		for name, value := range sent {
			require.Equal(t, value, again[name])
		}
	})
}

func TestTheDocsListTheOwnFields(t *testing.T) {
	page, err := os.ReadFile("../../docs/http-api.md")
	require.NoError(t, err)
	list := strings.Join(strings.Fields(string(page)), " ")
	require.Contains(t, list, "- `"+strings.Join(event.OwnFields, "`, `")+"`, also where")
}
