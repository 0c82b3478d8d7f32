package publish_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/pipelinetest"
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
			``, event.Settings{Fields: map[string]any{"env": "prod", "team": map[string]any{"name": "a"}}, Tags: []string{"hook"}},
			`{"type":"rtbeat","fields":{"env":"prod","team":{"name":"a"}},"tags":["hook"]}`,
		},
		"of the Beat": {`{fields: {dc: x, env: beat}, tags: [beat]}`, event.Settings{}, `{"type":"rtbeat","fields":{"dc":"x","env":"beat"},"tags":["beat"]}`},
		"of both": {
			`{fields: {dc: x, env: beat, team.lead: b}, tags: [beat]}`,
			event.Settings{Fields: map[string]any{"env": "prod", "team": map[string]any{"name": "a"}}, Tags: []string{"hook"}},
			`{"type":"rtbeat","fields":{"dc":"x","env":"prod","team":{"lead":"b","name":"a"}},"tags":["hook","beat"]}`,
		},
		"under the root": {
			`{fields: {dc: x, env: beat}}`, event.Settings{Fields: map[string]any{"env": "prod", "type": "webhook", "agent": map[string]any{"id": "mine"}}, FieldsUnderRoot: true},
			`{"type":"webhook","env":"prod","agent":{"id":"mine"},"fields":{"dc":"x","env":"beat"}}`,
		},
		"the Beat's under the root": {
			`{fields: {env: beat}, fields_under_root: true}`, event.Settings{Fields: map[string]any{"env": "prod"}},
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

// A processor changes the fields and the tags of one event only, also with several workers at once.
func TestEventsShareNoFields(t *testing.T) {
	output := &pipelinetest.Output{OnBatch: ackAll}
	const messages = 2000
	seen := make(chan string, messages)
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
	for i := range messages / 10 {
		batch := make([]string, 10)
		for j := range batch {
			batch[j] = fmt.Sprintf(`{"odd":%t}`, (i+j)%2 == 1)
		}
		tokens = append(tokens, r.publish(batch...))
	}
	counts := map[string]int{}
	for range messages {
		counts[<-seen]++
	}
	require.Equal(t, map[string]int{
		`[{"a":{"b":"c","odd":true}},["one","two","three","odd"]]`: messages / 2,
		`[{"a":{"b":"c"}},["one","two","three","even"]]`:           messages / 2,
	}, counts)
	for _, token := range tokens {
		r.requireDelivered(token, inflight.Progress{Messages: 10, Acked: 10})
	}
	r.requireEmpty()
}
