//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// sourced is a process with sources.
type sourced struct {
	*harness.Beat
	t      *testing.T
	client *harness.Client
	sink   *lumbersink.Sink
	home   string
}

func startSources(t *testing.T, rtbeat map[string]any) *sourced {
	t.Helper()
	s := &sourced{t: t, client: harness.NewClient(t), sink: harness.StartSink(t, lumbersink.Immediate()), home: t.TempDir()}
	s.Beat = harness.StartBeat(t, harness.Settings{Home: s.home, Sink: s.sink.Addr(), Rtbeat: rtbeat})
	return s
}

// post sends a body to a path, with headers in pairs of name and value.
func (s *sourced) post(path, body string, headers ...string) harness.Answer {
	s.t.Helper()
	header := make(http.Header)
	for i := 0; i+1 < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	return s.client.PostTo(s.t.Context(), "http://"+s.Addr+path, header, []byte(body))
}

// reload writes other settings, and waits for the end of the reload.
func (s *sourced) reload(rtbeat map[string]any, line string) harness.Entry {
	s.t.Helper()
	settings := harness.Settings{Home: s.home, Sink: s.sink.Addr(), Rtbeat: rtbeat}
	settings.WriteConfig(s.t, s.home)
	s.Signal(syscall.SIGHUP)
	entry, ok := s.Log.WaitFor(s.t.Context(), s.Done(), line)
	require.True(s.t, ok, "no line %q", line)
	return entry
}

func sourcesWith(tokens ...string) map[string]any {
	var list []any
	for i, token := range tokens {
		name := string(rune('a' + i))
		list = append(list, map[string]any{"name": name, "path": "/" + name, "auth.bearer.tokens": []string{token}})
	}
	return map[string]any{"sources": list}
}

// A reload applies the tokens of all sources, or of none.
func TestReloadOfSources(t *testing.T) {
	t.Parallel()
	s := startSources(t, sourcesWith("one", "two"))
	code := func(path, token string) int { return s.post(path, `[{}]`, "Authorization", "Bearer "+token).Code }
	require.Equal(t, []int{200, 401, 401, 200, 404}, []int{code("/a", "one"), code("/a", "two"), code("/b", "one"), code("/b", "two"), code("/in", "one")})

	s.reload(sourcesWith("three", "four"), "reloaded: ")
	require.Equal(t, []int{401, 200, 200}, []int{code("/a", "one"), code("/a", "three"), code("/b", "four")})

	open := sourcesWith("five", "six")
	open["sources"].([]any)[1].(map[string]any)["auth"] = map[string]any{}
	delete(open["sources"].([]any)[1].(map[string]any), "auth.bearer.tokens")
	refused := s.reload(open, "reloading failed")
	require.Contains(t, refused.Line, "the auth of source b is in force, and the configuration has none")
	require.Equal(t, []int{401, 200, 200, 401}, []int{code("/a", "five"), code("/a", "three"), code("/b", "four"), code("/b", "")})
	require.InDelta(t, 3, s.Metric(`rtbeat_messages_total{source="a"}`), 0)

	kept := s.reload(sourcesWith("seven"), "reloaded, but sources that the files do not have keep their former credentials")
	require.Contains(t, kept.Line, `"sources":"b"`)
	require.Equal(t, []int{200, 200}, []int{code("/a", "seven"), code("/b", "four")})
}

// rtbeat takes or refuses a body by its content type. A source may take more types.
func TestContentTypesOfSources(t *testing.T) {
	t.Parallel()
	s := startSources(t, map[string]any{"sources": []any{
		map[string]any{"name": "in", "path": "/in"},
		map[string]any{"name": "more", "path": "/more", "content_types": []string{"text/plain", "application/x-www-form-urlencoded"}},
	}})
	for _, c := range []struct {
		kind, body      string
		in, more, wants int
	}{
		{"application/json; profile=urn:example:v:1.0; charset=utf-8", `[{"a":1}]`, 200, 200, 1},
		{"application/json; charset=us-ascii", `[{"a":1}]`, 200, 200, 1},
		{"application/cloudevents-batch+json", `[{"id":"A1"},{"id":"A2"}]`, 200, 200, 2},
		{"application/stream+json", "{\"a\":1}\n{\"a\":2}\n", 200, 200, 2},
		{"text/plain", `[{"a":1}]`, 415, 200, 1},
		{"application/x-www-form-urlencoded", "payload=%5B%7B%22a%22%3A1%7D%5D", 415, 200, 1},
	} {
		for path, want := range map[string]int{"/in": c.in, "/more": c.more} {
			a := s.post(path, c.body, "Content-Type", c.kind)
			require.Equal(t, want, a.Code, "%s to %s: %s", c.kind, path, a)
			if want == 200 {
				require.Equal(t, c.wants, a.Body.Messages, c.kind)
			}
		}
	}
	line, ok := s.Log.Find("request refused: the content type")
	require.True(t, ok)
	require.Contains(t, line.Line, `content type \"text/plain\"`)
	require.Contains(t, line.Line, `"source":"in"`)
}

// A webhook is sent three times: it gets 504, its retry waits for the first attempt, and a late retry finds it delivered. The event
// arrives once, whatever its id is, and another source's is another event. In durable mode every attempt gets 200.
func TestAWebhookThatIsSentThreeTimesArrivesOnce(t *testing.T) {
	t.Parallel()
	kinds := []struct {
		name, body string
		id         map[string]any
		headers    []string
	}{
		{"field", `[{"uuid":"a","n":1}]`, nil, nil},
		{"nested", `[{"event":{"id":17},"n":1}]`, map[string]any{"fields": []string{"id", "event.id"}}, nil},
		{"header", `[{"n":1}]`, map[string]any{"header": "X-GitHub-Delivery"}, []string{"X-GitHub-Delivery", "b1a7d5e4"}},
		{"key", `[{"n":1},{"n":1}]`, nil, []string{"Idempotency-Key", `"8e03978e-40d5"`}},
		{"content", `[{"n":1}]`, map[string]any{"content": true}, nil},
	}
	var sources []any
	for _, k := range kinds {
		for _, other := range []string{"", "-other"} {
			source := map[string]any{"name": k.name + other, "path": "/" + k.name + other}
			if k.id != nil {
				source["id"] = k.id
			}
			sources = append(sources, source)
		}
	}
	for name, durable := range map[string]bool{"memory": false, "durable": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := harness.StartSink(t, lumbersink.Never())
			rtbeat := map[string]any{"timeout": 1, "sources": sources}
			if durable {
				rtbeat["durable"] = map[string]any{"enabled": true}
			}
			s := &sourced{t: t, client: harness.NewClient(t), sink: sink}
			s.Beat = harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: rtbeat})
			first := 504
			if durable {
				first = 200
			}
			for range 2 {
				for _, k := range kinds {
					require.Equal(t, first, s.post("/"+k.name, k.body, k.headers...).Code, k.name)
				}
			}
			harness.RecoverSink(sink)
			wants := 0
			for _, k := range kinds {
				for _, other := range []string{"", "-other"} {
					a := s.post("/"+k.name+other, k.body, k.headers...)
					require.Equal(t, 200, a.Code, "%s: %s", k.name, a)
					wants += a.Body.Messages
					if other == "" {
						require.Equal(t, a.Body.Messages, a.Body.Coalesced, k.name)
					} else {
						require.Zero(t, a.Body.Coalesced, k.name)
					}
				}
			}
			ids := make(map[string]bool)
			harness.Await(t, harness.ArriveWithin, "every event", func() bool { return len(sink.Events()) >= wants })
			for _, e := range sink.Events() {
				id, err := harness.DocumentIDOf(e.Raw)
				require.NoError(t, err)
				ids[id] = true
			}
			require.Len(t, sink.Events(), wants)
			require.Len(t, ids, wants)
		})
	}
}

// Each source has its own form of events: type, target, fields, tags, path, sender and time. In durable mode the form is that of the
// stored source.
func TestEventsOfSources(t *testing.T) {
	t.Parallel()
	for name, durable := range map[string]bool{"memory": false, "durable": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rtbeat := map[string]any{"tags": []string{"all"}, "sources": []any{
				map[string]any{"name": "in", "path": "/in"},
				map[string]any{
					"name": "hook", "path": "/hook/*", "type": "webhook", "target": "", "include_path": true, "tags": []string{"own"},
					"fields": map[string]any{"site": "a"}, "timestamp.field": "at", "auth.bearer.tokens": map[string]any{"alice": "a-token"},
				},
			}}
			if durable {
				rtbeat["durable"] = map[string]any{"enabled": true}
			}
			s := startSources(t, rtbeat)
			require.Equal(t, 200, s.post("/in", `[{"n":1}]`).Code)
			require.Equal(t, 200, s.post("/hook/a/b", `[{"n":2,"at":"2024-05-06T07:08:09Z","host":"mine"}]`, "Authorization", "Bearer a-token").Code)
			harness.Await(t, harness.ArriveWithin, "both events", func() bool { return len(s.sink.Events()) == 2 })
			events := make(map[string]map[string]any)
			for _, e := range s.sink.Events() {
				var event map[string]any
				require.NoError(t, json.Unmarshal(e.Raw, &event))
				events[event["type"].(string)] = event
			}
			plain, hook := events["rtbeat"], events["webhook"]
			require.Equal(t, map[string]any{"n": 1.0}, plain["rxtxMsg"])
			require.Equal(t, []any{"all"}, plain["tags"])
			for _, absent := range []string{"url", "sender", "fields"} {
				require.NotContains(t, plain, absent)
			}
			require.InDelta(t, 2, hook["n"], 0)
			require.Equal(t, map[string]any{"host": "mine"}, hook["rxtxMsg"])
			require.Equal(t, []any{"own"}, hook["tags"])
			require.Equal(t, map[string]any{"site": "a"}, hook["fields"])
			require.Equal(t, map[string]any{"path": "/hook/a/b"}, hook["url"])
			require.Equal(t, "alice", hook["sender"])
			require.Equal(t, "2024-05-06T07:08:09.000Z", hook["@timestamp"])
		})
	}
}

// A preset verifies the signature and answers the challenge of its sender. Its id dedupes deliveries.
func TestAPresetVerifiesItsSender(t *testing.T) {
	t.Parallel()
	s := startSources(t, map[string]any{"sources": []any{
		map[string]any{"name": "github", "path": "/github", "preset": "github", "auth.hmac.keys": []string{"g-key"}},
		map[string]any{"name": "slack", "path": "/slack", "preset": "slack", "auth.hmac.keys": []string{"s-key"}},
	}})
	const push = `[{"ref":"refs/heads/main"}]`
	github := func(key, delivery string) harness.Answer {
		return s.post("/github", push, "X-Hub-Signature-256", "sha256="+signature(key, push), "X-GitHub-Delivery", delivery)
	}
	require.Equal(t, []int{200, 401, 200, 200}, []int{github("g-key", "a").Code, github("s-key", "b").Code, github("g-key", "a").Code, github("g-key", "b").Code})
	require.Len(t, s.sink.Events(), 2)

	slack := func(body string) harness.Answer {
		now := strconv.FormatInt(time.Now().Unix(), 10)
		return s.post("/slack", body, "X-Slack-Request-Timestamp", now, "X-Slack-Signature", "v0="+signature("s-key", "v0:"+now+":"+body))
	}
	answer := slack(`{"type":"url_verification","challenge":"3eZb"}`)
	require.JSONEq(t, `{"challenge":"3eZb"}`, string(answer.Raw))
	require.Len(t, s.sink.Events(), 2)
	require.Equal(t, 1, s.Answers(200, "challenge"))
}

// With on_invalid: event a message that is not valid no longer takes its batch with it. Its event says why, and holds its bytes; its
// retry is deduped as those of the others are. By default, the body is refused.
func TestMessagesThatAreNotValid(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(harness.RepoRoot, "internal", "batch", "testdata", "bodies", "bad-*"))
	require.NoError(t, err)
	require.Len(t, files, 9)
	for name, durable := range map[string]bool{"memory": false, "durable": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rtbeat := map[string]any{"sources": []any{
				map[string]any{"name": "strict", "path": "/strict"},
				map[string]any{"name": "lenient", "path": "/lenient", "on_invalid": "event", "id.content": true},
			}}
			if durable {
				rtbeat["durable"] = map[string]any{"enabled": true}
			}
			s := startSources(t, rtbeat)
			invalid := 0
			for _, file := range files {
				body, err := os.ReadFile(file)
				require.NoError(t, err)
				kind := map[string]string{".json": "application/json", ".ndjson": "application/x-ndjson"}[filepath.Ext(file)]
				require.Equal(t, 400, s.post("/strict", string(body), "Content-Type", kind).Code, file)
				first := s.post("/lenient", string(body), "Content-Type", kind)
				if strings.HasSuffix(file, "bad-array-broken.json") {
					require.Equal(t, 400, first.Code, file)
					continue
				}
				invalid++
				require.Equal(t, 200, first.Code, "%s: %s", file, first)
				require.Contains(t, string(first.Raw), `"messages":3,`, file)
				require.Contains(t, string(first.Raw), `"invalid":1}`, file)
				again := s.post("/lenient", string(body), "Content-Type", kind)
				require.Contains(t, string(again.Raw), `"messages":3,"coalesced":3,"filtered":0,"invalid":1}`, file)
			}
			harness.Await(t, harness.ArriveWithin, "the events of all messages that are not valid", func() bool { return failures(t, s.sink) >= invalid })
			require.Equal(t, invalid, failures(t, s.sink))
			require.InDelta(t, 2*invalid, sumOf(s.Metrics(), `rtbeat_messages_invalid_total{`), 0)
		})
	}
}

// failures counts the events of messages that are not valid, and checks each.
func failures(t *testing.T, sink *lumbersink.Sink) (n int) {
	t.Helper()
	for _, e := range sink.Events() {
		var event struct {
			Tags  []string
			Error struct{ Type, Message string }
			Event struct{ Original string }
		}
		require.NoError(t, json.Unmarshal(e.Raw, &event))
		if slices.Contains(event.Tags, "_jsonparsefailure") {
			require.NotEmpty(t, event.Error.Type)
			require.Contains(t, event.Error.Message, "byte ")
			require.NotEmpty(t, event.Event.Original)
			n++
		}
	}
	return n
}

func sumOf(samples map[string]float64, prefix string) (sum float64) {
	for name, value := range samples {
		if strings.HasPrefix(name, prefix) {
			sum += value
		}
	}
	return sum
}
