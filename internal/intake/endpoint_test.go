package intake

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/metrics"
	"github.com/txn2/rtbeat/internal/source"
)

// sourceAt returns a source that wants a token, or none for "".
func sourceAt(t *testing.T, name, path, token string) Source {
	t.Helper()
	s := Source{Source: source.Source{Name: name, Path: path, Settings: source.DefaultSettings()}}
	if token == "" {
		return s
	}
	s.Auth = tokens(token)
	var err error
	s.Authenticator, err = auth.New(s.Auth)
	require.NoError(t, err)
	return s
}

// An exact path comes before the paths below another one, and the longest of these counts.
func TestEachPathReachesItsSource(t *testing.T) {
	r := newRig(t, func(l *limits) {
		l.Source = sourceAt(t, "all", "/*", "")
		l.Others = []Source{sourceAt(t, "below", "/a/*", ""), sourceAt(t, "deep", "/a/b/*", ""), sourceAt(t, "exact", "/a/b/c", "")}
	})
	r.deliverAll()
	for path, want := range map[string]string{
		"/in": "all", "/": "all", "/a": "all", "/a/": "below", "/a/x": "below", "/a/b": "below", "/a/b/": "deep", "/a/b/x/y": "deep", "/a/b/c": "exact", "/a/b/c/": "deep",
	} {
		before := r.server.Counts()
		req := r.request(messages(2))
		req.URL.Path = path
		r.do(req).requireAnswer(delivered)
		for i, s := range r.server.Counts().Sources {
			counted := s.Answers - before.Sources[i].Answers
			require.Equal(t, s.Name == want, counted == 1, "%s of %s", s.Name, path)
			require.InDelta(t, 2*counted, s.Messages-before.Sources[i].Messages, 0)
		}
	}
	for path, want := range map[string]outcome{"/readyz": starting, "/livez": alive} {
		req := r.request("")
		req.Method, req.URL.Path = http.MethodGet, path
		r.do(req).requireAnswer(want)
	}
	get := r.request("")
	get.Method = http.MethodGet
	r.do(get).requireAnswer(methodNotAllowed)
}

func TestSourcesHaveTheirOwnCredentialsAndCounters(t *testing.T) {
	r := newRig(t, func(l *limits) {
		l.Source = sourceAt(t, "one", "/one", "first")
		l.Others = []Source{sourceAt(t, "two", "/two", "second"), sourceAt(t, "three", "/three", "")}
		l.Others[1].IncludeHeaders = []string{"x-tenant"}
	})
	r.deliverAll()
	ask := func(path, token string) *call {
		req := r.request(messages(1))
		req.URL.Path = path
		req.Header.Set("Authorization", "Bearer "+token)
		return r.do(req)
	}
	ask("/one", "first").requireAnswer(delivered)
	ask("/one", "second").requireAnswer(unauthorized)
	ask("/two", "second").requireAnswer(delivered)
	ask("/two", "first").requireAnswer(unauthorized)
	ask("/three", "anything").requireAnswer(delivered)
	elsewhere := ask("/in", "first").recorder
	require.Equal(t, http.StatusNotFound, elsewhere.Code)
	require.Contains(t, elsewhere.Body.String(), "there is nothing here. Batches go to the paths of rtbeat.sources")
	require.Equal(t, []any{"one", "two"}, []any{r.log.about(unauthorized)[0].fields["source"], r.log.about(unauthorized)[1].fields["source"]}, "each source has a line")

	counts := r.server.Counts()
	require.InDelta(t, 3, counts.Messages, 0)
	for i, want := range []SourceCounts{{Name: "one", Path: "/one", Answers: 2, Refused: 1, Messages: 1}, {Name: "two", Path: "/two", Answers: 2, Refused: 1, Messages: 1}, {Name: "three", Path: "/three", Answers: 1, Messages: 1}} {
		got := counts.Sources[i]
		require.Equal(t, want.Refused > 0, got.LastProblem != nil && got.LastProblem.Reason == "unauthorized")
		got.LastProblem = nil
		require.Equal(t, want, got)
	}

	next, err := auth.New(tokens("third"))
	require.NoError(t, err)
	r.server.Authenticate([]*auth.Authenticator{next, r.server.endpoints[1].authenticator.Load(), nil})
	ask("/one", "third").requireAnswer(delivered)
	ask("/one", "first").requireAnswer(unauthorized)
	ask("/two", "second").requireAnswer(delivered)
}

// A scrape has a series of each source before its first request.
func TestEachSourceHasItsSeries(t *testing.T) {
	registry := metrics.NewRegistry()
	newCounters(registry, []Source{sourceAt(t, "one", "/one", ""), sourceAt(t, "two", "/two", "")})
	families, err := registry.Gather()
	require.NoError(t, err)
	series := make(map[string][]string)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "source" {
					series[family.GetName()] = append(series[family.GetName()], label.GetValue())
				}
			}
		}
	}
	require.Len(t, series, 8)
	for name, sources := range series {
		require.Equal(t, strings.Count(strings.Join(sources, " "), "one"), strings.Count(strings.Join(sources, " "), "two"), name)
		require.Contains(t, sources, "one", name)
	}
	require.Equal(t, 4, strings.Count(" "+strings.Join(series["rtbeat_answers_total"], ",")+",", ",,")+1, "answers without a source: 404, 405, 408, 500")
}

// What the form adds to each event counts against the in-flight limit, and the event gets its source, sender and path.
func TestTheFormOfEventsIsReserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		used := func(change func(*limits)) int64 {
			r := newRig(t, func(l *limits) { l.InFlight = 1 << 20 }, change)
			call := r.start(r.request(messages(10)))
			job := r.take()
			defer call.requireAnswer(delivered)
			defer job.deliver()
			require.Equal(t, "in", job.Source)
			return r.admission.Used()
		}
		plain := used(func(*limits) {})
		settings := event.DefaultSettings()
		settings.Fields = map[string]any{"site": strings.Repeat("x", 1000)}
		require.Greater(t, used(func(l *limits) { l.Form = event.NewForm(settings) }), plain+10_000)
		require.Greater(t, used(func(l *limits) { l.IncludePath = true }), plain)
	})
}

func TestTheOriginNamesSenderAndPath(t *testing.T) {
	r := newRig(t, func(l *limits) {
		l.Source = sourceAt(t, "hooks", "/hooks/*", "")
		l.IncludePath = true
		l.Auth.Bearer.Tokens = auth.Secrets{{Name: "alice", Value: bearer}}
		var err error
		l.Authenticator, err = auth.New(l.Auth)
		require.NoError(t, err)
	})
	req := r.request(messages(1))
	req.URL.Path = "/hooks/a"
	call := r.start(req)
	job := r.take()
	require.Equal(t, []string{"hooks", "alice", "/hooks/a"}, []string{job.Source, job.Sender, job.Path})
	job.deliver()
	call.requireAnswer(delivered)
}
