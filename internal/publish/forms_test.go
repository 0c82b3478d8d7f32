package publish_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	codec "github.com/elastic/beats/v7/libbeat/outputs/codec/json"
	_ "github.com/elastic/beats/v7/libbeat/processors/add_host_metadata" // add_host_metadata
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/internal/pipelinetest"
	"github.com/txn2/rtbeat/internal/publish"
)

func newForm(change func(*event.Settings)) *event.Form {
	s := event.DefaultSettings()
	change(&s)
	return event.NewForm(s)
}

// The event has the form of its source. A batch that names no source is of the default source; a source that the configuration
// does not have gets the form for others.
func TestEachSourceHasItsForm(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRigOf(t, output, 1, 1, "", rigSettings{form: newForm(func(s *event.Settings) { s.Type = "other" }), forms: map[string]*event.Form{
		inflight.DefaultSource: newForm(func(*event.Settings) {}),
		"github":               newForm(func(s *event.Settings) { s.Type, s.Target = "github", "payload" }),
	}})
	for source, want := range map[string][2]string{"": {"rtbeat", "rxtxMsg"}, "in": {"rtbeat", "rxtxMsg"}, "github": {"github", "payload"}, "gone": {"other", "rxtxMsg"}} {
		r.origin.Source = source
		token := r.publish(`{"a":1}`)
		window := output.Next()
		fields := window.Events()[0].Content.Fields
		require.Equal(t, want[0], fields["type"])
		require.Contains(t, fields, want[1])
		window.ACK()
		r.requireDelivered(token, inflight.Progress{Messages: 1, Acked: 1})
	}
	r.requireEmpty()
}

// The fields and tags of a source are those of any Beat: beside the Beat's own, which they replace where both have a field.
func TestFieldsAndTags(t *testing.T) {
	for name, tt := range map[string]struct {
		libbeat string
		form    event.Settings
		want    string
	}{
		"neither": {``, event.Settings{}, `{"type":"rtbeat"}`},
		"of the source": {
			``,
			event.Settings{Fields: map[string]any{"env": "prod", "team": map[string]any{"name": "a"}}, Tags: []string{"hook"}},
			`{"type":"rtbeat","fields":{"env":"prod","team":{"name":"a"}},"tags":["hook"]}`,
		},
		"of the Beat": {`{fields: {dc: x, env: beat}, tags: [beat]}`, event.Settings{}, `{"type":"rtbeat","fields":{"dc":"x","env":"beat"},"tags":["beat"]}`},
		"of both": {
			`{fields: {dc: x, env: beat, team.lead: b}, tags: [beat]}`,
			event.Settings{Fields: map[string]any{"env": "prod", "team": map[string]any{"name": "a"}}, Tags: []string{"hook"}},
			`{"type":"rtbeat","fields":{"dc":"x","env":"prod","team":{"lead":"b","name":"a"}},"tags":["hook","beat"]}`,
		},
		"under the root": {
			`{fields: {dc: x, env: beat}}`,
			event.Settings{Fields: map[string]any{"env": "prod", "type": "webhook", "agent": map[string]any{"id": "mine"}}, FieldsUnderRoot: true},
			`{"type":"webhook","env":"prod","agent":{"id":"mine"},"fields":{"dc":"x","env":"beat"}}`,
		},
		"the Beat's under the root": {
			`{fields: {env: beat}, fields_under_root: true}`,
			event.Settings{Fields: map[string]any{"env": "prod"}},
			`{"type":"rtbeat","env":"beat","fields":{"env":"prod"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tt.form.Type, tt.form.Target = "rtbeat", "rxtxMsg"
			require.NoError(t, tt.form.Check(""))
			output := &pipelinetest.Output{}
			r := newRigOf(t, output, 2, 10, tt.libbeat, rigSettings{form: event.NewForm(tt.form)})
			r.origin = inflight.Origin{}
			token := r.publish(`{}`)
			window := output.Next()
			fields := window.Events()[0].Content.Fields
			require.NoError(t, fields.Delete("rxtxMsg"))
			delete(fields, "ecs")
			delete(fields, "host")
			if agent, _ := fields["agent"].(mapstr.M); agent["id"] != "mine" {
				delete(fields, "agent")
			} else {
				fields["agent"] = mapstr.M{"id": "mine"}
			}
			got, err := json.Marshal(fields)
			require.NoError(t, err)
			require.JSONEq(t, tt.want, string(got))
			window.ACK()
			r.requireDelivered(token, inflight.Progress{Messages: 1, Acked: 1})
		})
	}
}

// An event has the time of its message, or the time of receipt if that cannot be read. The metric says of which source it is.
func TestTheTimeOfTheMessage(t *testing.T) {
	output := &pipelinetest.Output{}
	form := newForm(func(s *event.Settings) { s.Target, s.Timestamp.Field = "", "time" }) // the message is moved after its time is read
	r := newRigOf(t, output, 1, 1, "", rigSettings{forms: map[string]*event.Form{"timed": form, "in": newForm(func(*event.Settings) {})}})
	for _, tt := range []struct {
		source, message string
		want            time.Time // zero for receipt
		failures        int
	}{
		{"timed", `{"time":"2001-02-03T04:05:06.789Z"}`, time.Date(2001, 2, 3, 4, 5, 6, 789e6, time.UTC), 0},
		{"timed", `{"time":981173106789}`, time.Date(2001, 2, 3, 4, 5, 6, 789e6, time.UTC), 0},
		{"timed", `{"time":"yesterday"}`, time.Time{}, 1},
		{"timed", `{}`, time.Time{}, 2},
		{"in", `{"time":1}`, time.Time{}, 2},
		{"gone", `{"time":1}`, time.Time{}, 2},
	} {
		r.origin.Source = tt.source
		token := r.publish(tt.message)
		window := output.Next()
		got := window.Events()[0].Content.Timestamp
		if tt.want.IsZero() {
			require.Equal(t, r.origin.Received, got)
		} else {
			require.Equal(t, tt.want, got)
		}
		require.Equal(t, tt.failures, r.count("rtbeat_timestamp_failures_total", "timed"))
		require.Equal(t, tt.failures, r.count("rtbeat_timestamp_failures_total"))
		window.ACK()
		r.requireDelivered(token, inflight.Progress{Messages: 1, Acked: 1})
	}
	r.requireEmpty()
}

// A message at the root keeps all that it has, and the event has what libbeat and its processors write. The outputs can encode it.
func TestAMessageAtTheRootInAPipeline(t *testing.T) {
	const message = `{"uuid":"a","@timestamp":"1999","@metadata":{"_id":"evil","pipeline":"p"},"@metadata._id":"evil","type":1,"host":{"name":"evil","x":1},"agent":"evil",` +
		`"ecs.version":"evil","tags":"evil","fields":[1],"env":"evil","dc":{"name":"evil"},"error":null,"own":{"a":[1,null]},"clientIp":1,"trace":2}`
	const settings = `
fields_under_root: true
fields: {env: beat, dc.zone: z}
tags: [beat]
processors: [{add_host_metadata: {netinfo.enabled: false}}]`
	output := &pipelinetest.Output{}
	s := event.DefaultSettings()
	s.Target, s.Tags, s.Fields = "", []string{"hook"}, map[string]any{"team": "a"}
	form := event.NewForm(s, publish.RootFields(pipelinetest.Config(t, settings))...)
	r := newRigOf(t, output, 1, 1, settings, rigSettings{form: form})
	token := r.publish(message)
	window := output.Next()
	content := window.Events()[0].Content
	require.WithinDuration(t, time.Now(), content.Timestamp, time.Minute)
	require.Len(t, content.Meta["_id"], 22, "the hash of the message")

	text, err := codec.New("9.9.9", codec.Config{}).Encode("rtbeat", &content)
	require.NoError(t, err)
	require.NoError(t, lumbersink.CheckJSON(text))
	require.True(t, jsontext.Value(text).IsValid(), "no key twice: %s", text)
	var sent map[string]any
	require.NoError(t, json.Unmarshal(text, &sent))
	require.Equal(t, map[string]any{
		"@timestamp": "1999", "@metadata": map[string]any{"_id": "evil", "pipeline": "p"}, "@metadata._id": "evil", "type": 1., "host": map[string]any{"name": "evil", "x": 1.},
		"agent": "evil", "ecs.version": "evil", "tags": "evil", "fields": []any{1.}, "env": "evil", "dc": map[string]any{"name": "evil"}, "error": nil, "clientIp": 1., "trace": 2.,
	}, sent["rxtxMsg"])
	require.Equal(t, map[string]any{"a": []any{1., nil}}, sent["own"])
	require.Equal(t, "a", sent["uuid"])
	require.Equal(t, "rtbeat", sent["type"])
	require.Equal(t, "beat", sent["env"])
	require.Equal(t, map[string]any{"zone": "z"}, sent["dc"])
	require.Equal(t, map[string]any{"team": "a"}, sent["fields"])
	require.Equal(t, []any{"hook", "beat"}, sent["tags"])
	require.NotEqual(t, "evil", sent["host"].(map[string]any)["name"])
	require.NotEmpty(t, sent["host"].(map[string]any)["architecture"], "of add_host_metadata")
	require.Equal(t, "rtbeat", sent["agent"].(map[string]any)["type"])
	require.NotEmpty(t, sent["ecs"].(map[string]any)["version"])
	window.ACK()
	r.requireDelivered(token, inflight.Progress{Messages: 1, Acked: 1})
	r.requireEmpty()
}

// A processor changes the fields and the tags of one event only, also with several workers at once.
func TestEventsShareNoFields(t *testing.T) {
	output := &pipelinetest.Output{OnBatch: ackAll}
	const total = 2000
	seen := make(chan string, total)
	output.OnBatch = func(b publisher.Batch) {
		for _, e := range b.Events() {
			text, err := json.Marshal([]any{e.Content.Fields["fields"], e.Content.Fields["tags"]})
			if err != nil {
				text = []byte(err.Error())
			}
			seen <- string(text)
		}
		b.ACK()
	}
	form := newForm(func(s *event.Settings) {
		s.Fields, s.Tags = map[string]any{"a": map[string]any{"b": "c"}}, append(make([]string, 0, 8), "one", "two")
	})
	r := newRigOf(t, output, 4, 50, `
tags: [three]
processors:
  - if.equals.rxtxMsg.odd: true
    then:
      - add_tags.tags: [odd]
      - add_fields: {target: fields, fields: {a.odd: true}}
    else:
      - add_tags.tags: [even]`, rigSettings{form: form})
	var tokens []*inflight.BatchAck
	for i := range total / 10 {
		messages := make([]string, 10)
		for j := range messages {
			messages[j] = fmt.Sprintf(`{"odd":%t}`, (i+j)%2 == 1)
		}
		tokens = append(tokens, r.publish(messages...))
	}
	counts := map[string]int{}
	for range total {
		counts[<-seen]++
	}
	require.Equal(t, map[string]int{
		`[{"a":{"b":"c","odd":true}},["one","two","three","odd"]]`: total / 2,
		`[{"a":{"b":"c"}},["one","two","three","even"]]`:           total / 2,
	}, counts)
	for _, token := range tokens {
		r.requireDelivered(token, inflight.Progress{Messages: 10, Acked: 10})
	}
	r.requireEmpty()
}

// The event of a message that is not valid says so, and the outputs can encode it. A retry of the body is deduped.
func TestTheEventOfAnInvalidMessage(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRigOf(t, output, 1, 1, `{tags: [beat]}`, rigSettings{form: newForm(func(s *event.Settings) { s.Tags = []string{"hook"} })})
	o := batch.Options{Lines: true, KeepInvalid: true}
	const body = "{\"uuid\":\"a\"}\n{\"n\":\"\xff\"}\n"
	token, retry := r.post(body, o), r.post(body, o)
	good, bad := output.Next(), output.Next()
	require.NotContains(t, good.Events()[0].Content.Fields, "error")
	content := bad.Events()[0].Content
	require.WithinDuration(t, r.origin.Received, content.Timestamp, time.Minute)
	require.Len(t, content.Meta["_id"], 22)
	text, err := codec.New("9.9.9", codec.Config{}).Encode("rtbeat", &content)
	require.NoError(t, err)
	require.True(t, jsontext.Value(text).IsValid(), "%s", text)
	var sent map[string]any
	require.NoError(t, json.Unmarshal(text, &sent))
	require.NotContains(t, sent, "rxtxMsg")
	require.Equal(t, map[string]any{"type": "malformed_json", "message": "byte 19, line 2, message 1: invalid UTF-8"}, sent["error"])
	require.Equal(t, map[string]any{"original": "{\"n\":\"\uFFFD\"}"}, sent["event"])
	require.Equal(t, []any{"hook", "_jsonparsefailure", "beat"}, sent["tags"])
	require.Equal(t, "192.0.2.7", sent["clientIp"])
	good.ACK()
	bad.ACK()
	r.requireDelivered(token, inflight.Progress{Messages: 2, Acked: 2})
	r.requireDelivered(retry, inflight.Progress{Messages: 2, Acked: 2, DedupedInFlight: 2})
	r.requireEmpty()
}
