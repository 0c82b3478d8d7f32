package outputs

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elastic/mock-es/pkg/api"
	"github.com/gofrs/uuid/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/beats/v7/libbeat/publisher/pipeline"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/mapstr"
)

// tally is an observer that adds up the numbers that it gets.
type tally struct {
	outputs.Observer
	acked, failed, dropped, duplicates, deadLetters, batches int
}

func (o *tally) NewBatch(int)           { o.batches++ }
func (o *tally) AckedEvents(n int)      { o.acked += n }
func (o *tally) RetryableErrors(n int)  { o.failed += n }
func (o *tally) PermanentErrors(n int)  { o.dropped += n }
func (o *tally) DuplicateEvents(n int)  { o.duplicates += n }
func (o *tally) DeadLetterEvents(n int) { o.deadLetters += n }

// mainIndex selects the index "main".
type mainIndex struct{}

func (mainIndex) BuildSelector(*conf.C) (outputs.IndexSelector, error) { return mainIndex{}, nil }
func (mainIndex) Select(*beat.Event) (string, error)                   { return "main", nil }

// esRig is libbeat's client for Elasticsearch in its wrapper, and a server.
type esRig struct {
	t        *testing.T
	group    outputs.Group
	stats    *tally
	status   func(index, doc string) int // of a document; 0 is 201
	request  int                         // status of a whole request; 0 is 200
	requests atomic.Int64
	log      interface{ String() string }
}

func newESRig(t *testing.T, settings map[string]any) *esRig {
	t.Helper()
	require.NoError(t, Wrap())
	r := &esRig{t: t, stats: &tally{Observer: outputs.NewNilObserver()}}
	store := api.NewDeterministicAPIHandler(uuid.Must(uuid.NewV4()), "", nil, time.Now().Add(time.Hour), 0, 0, func(action api.Action, doc []byte) int {
		var meta struct {
			Index string `json:"_index"`
		}
		if err := json.Unmarshal(action.Meta, &meta); err != nil {
			return http.StatusInternalServerError
		}
		if status := r.status(meta.Index, string(doc)); status != 0 {
			return status
		}
		return http.StatusCreated
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "_bulk") {
			r.requests.Add(1)
			if r.request != 0 {
				w.WriteHeader(r.request)
				return
			}
		}
		store.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	config := conf.MustNewConfigFrom(map[string]any{
		"hosts": []string{server.URL}, "index": "main", "allow_older_versions": true, "backoff.init": "1ms", "backoff.max": "1ms",
	})
	require.NoError(t, config.Merge(settings))
	log, lines := logp.NewInMemoryLocal("", zapcore.EncoderConfig{MessageKey: "message", EncodeLevel: zapcore.LowercaseLevelEncoder, LevelKey: "level"})
	r.log = lines
	var err error
	r.group, err = outputs.Load(mainIndex{}, beat.Info{Beat: "rtbeat", Version: "9.9.9", Logger: log}, r.stats, "elasticsearch", config)
	require.NoError(t, err)
	for _, c := range r.group.Clients {
		require.NoError(t, c.(outputs.NetworkClient).Connect(t.Context()))
		t.Cleanup(func() { _ = c.Close() })
	}
	return r
}

// A preset sets the queue, which rtbeat checks later. The configuration has the preset's settings, and not rtbeat's policy.
func TestElasticsearchPresetStaysInTheConfiguration(t *testing.T) {
	for name, settings := range map[string]map[string]any{
		"default": {"preset": "balanced"},
		"drop":    {"preset": "balanced", "non_indexable_policy.drop": nil},
		"hosts":   {"preset": "balanced", "hosts": []string{"127.0.0.1:1", "127.0.0.1:2"}},
	} {
		config := conf.MustNewConfigFrom(map[string]any{"hosts": []string{"127.0.0.1:1"}})
		require.NoError(t, config.Merge(settings))
		require.NoError(t, Wrap())
		before, err := outputs.ReadHostList(config)
		require.NoError(t, err, name)
		_, err = outputs.Load(mainIndex{}, beat.Info{Beat: "rtbeat", Version: "9.9.9", Logger: logp.NewNopLogger()}, outputs.NewNilObserver(), "elasticsearch", config)
		require.NoError(t, err, name)
		timeout, err := config.String("queue.mem.flush.timeout", -1)
		require.NoError(t, err, name)
		require.Equal(t, "10s", timeout, name)
		require.NotContains(t, strings.Join(config.FlattenedKeys(), " "), "dead_letter_index", name)
		after, err := outputs.ReadHostList(config)
		require.NoError(t, err, name)
		require.Equal(t, before, after, name)
	}
}

// publish encodes events as the queue does and publishes them once. It returns the events to retry, by batch, and whether
// libbeat has the acknowledgement.
func (r *esRig) publish(sent ...publisher.Event) (retry [][]publisher.Event, isDone bool, err error) {
	r.t.Helper()
	batch := pipeline.NewBatchForTesting(sent, func(b publisher.Batch) { retry = append(retry, b.Events()) }, func() { isDone = true })
	err = r.group.Clients[len(r.group.Clients)-1].Publish(r.t.Context(), batch)
	return retry, isDone, err
}

func (r *esRig) encode(sent ...beat.Event) (encoded []publisher.Event) {
	encoder := r.group.EncoderFactory()
	for i := range sent {
		entry, _ := encoder.EncodeEntry(publisher.Event{Content: sent[i], Flags: publisher.GuaranteedSend})
		encoded = append(encoded, entry.(publisher.Event))
	}
	return encoded
}

// labelled makes an event for each label. They have no _id.
func labelled(labels ...string) (made []beat.Event) {
	made = events(len(labels), 1)
	for i, label := range labels {
		made[i].Fields["label"] = label
	}
	return made
}

// rejected are the labels of the events that were rejected.
func rejected(sent []beat.Event) (labels []string) {
	for i := range sent {
		if sent[i].Private.(*mark).rejected.Load() {
			label, _ := sent[i].Fields["label"].(string)
			labels = append(labels, label)
		}
	}
	return labels
}

// byLabel gives a document the status of its label.
func byLabel(statuses map[string]int) func(index, doc string) int {
	return func(_, doc string) int {
		for label, status := range statuses {
			if strings.Contains(doc, label) {
				return status
			}
		}
		return 0
	}
}

func TestElasticsearchNamesRefusedEvents(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]map[string]any{
		"no policy": {}, "drop": {"non_indexable_policy.drop.enabled": true}, "preset": {"preset": "throughput"},
		"two workers": {"worker": 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newESRig(t, settings)
			r.status = byLabel(map[string]int{"refused": 400, "forbidden": 403, "same": 409})
			sent := labelled("kept", "refused", "kept", "same", "forbidden", "kept")
			retry, isDone, err := r.publish(r.encode(sent...)...)
			require.NoError(t, err)
			require.True(t, isDone)
			require.Empty(t, retry)
			require.Equal(t, []string{"refused", "forbidden"}, rejected(sent))
			require.EqualValues(t, 1, r.requests.Load())
			require.Equal(t, tally{r.stats.Observer, 3, 0, 2, 1, 0, 1}, *r.stats)
			require.Equal(t, 2, strings.Count(r.log.String(), "Cannot index event"), "%s", r.log)
			require.NotContains(t, r.log.String(), "dead")
			require.NotContains(t, r.log.String(), ownIndex)
		})
	}
}

// A busy store does not hold up the rejection, and a rejection does not end the retry.
func TestElasticsearchRetriesOnlyBusyEvents(t *testing.T) {
	t.Parallel()
	r := newESRig(t, nil)
	r.status = byLabel(map[string]int{"refused": 400, "busy": 429, "broken": 503})
	sent := labelled("kept", "refused", "busy", "kept", "broken", "refused")
	retry, isDone, err := r.publish(r.encode(sent...)...)
	require.Error(t, err, "libbeat waits after a 429")
	require.False(t, isDone)
	require.Len(t, retry, 1)
	require.Len(t, retry[0], 2)
	require.Equal(t, []string{"refused", "refused"}, rejected(sent))
	require.Equal(t, tally{r.stats.Observer, 2, 2, 2, 0, 0, 1}, *r.stats)

	r.status = byLabel(map[string]int{"busy": 400})
	retry, isDone, err = r.publish(retry[0]...)
	require.NoError(t, err)
	require.True(t, isDone)
	require.Empty(t, retry)
	require.Equal(t, []string{"refused", "busy", "refused"}, rejected(sent))
}

// A refused request does not say which events are refused.
func TestElasticsearchRetriesRefusedRequest(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable} {
		r := newESRig(t, nil)
		r.request = status
		sent := labelled("a", "b")
		retry, isDone, err := r.publish(r.encode(sent...)...)
		require.Error(t, err)
		require.False(t, isDone)
		require.Len(t, retry, 1)
		require.Len(t, retry[0], 2)
		require.Empty(t, rejected(sent))
		require.Equal(t, tally{r.stats.Observer, 0, 2, 0, 0, 0, 1}, *r.stats)
	}
}

// A request that is too large is split. An event that is too large by itself is rejected.
func TestElasticsearchSplitsLargeRequest(t *testing.T) {
	t.Parallel()
	r := newESRig(t, nil)
	r.request = http.StatusRequestEntityTooLarge
	sent := labelled("a", "b", "c")
	halves, isDone, err := r.publish(r.encode(sent...)...)
	require.NoError(t, err)
	require.False(t, isDone)
	require.Len(t, halves, 2)
	require.Len(t, append(halves[0], halves[1]...), 3)
	require.Empty(t, rejected(sent))
	require.Equal(t, tally{r.stats.Observer, 0, 3, 0, 0, 0, 1}, *r.stats)

	retry, isDone, err := r.publish(halves[0]...)
	require.NoError(t, err)
	require.True(t, isDone)
	require.Empty(t, retry)
	require.Equal(t, []string{"a"}, rejected(sent))
	require.Equal(t, 1, r.stats.dropped)
}

// An event that cannot be sent is rejected alone.
func TestElasticsearchNamesUnsendableEvents(t *testing.T) {
	t.Parallel()
	r := newESRig(t, nil)
	r.status = byLabel(map[string]int{"refused": 400})
	sent := labelled("kept", "no JSON", "kept", "refused", "no id", "kept")
	sent[1].Fields["chan"] = make(chan int)
	sent[4].Meta = mapstr.M{"op_type": "delete"}
	encoded := append(r.encode(sent...), publisher.Event{Content: beat.Event{Private: &mark{}}}) // never encoded
	retry, isDone, err := r.publish(encoded...)
	require.NoError(t, err)
	require.True(t, isDone)
	require.Empty(t, retry)
	require.Equal(t, []string{"no JSON", "refused", "no id"}, rejected(sent))
	require.True(t, encoded[6].Content.Private.(*mark).rejected.Load())
	require.Equal(t, tally{r.stats.Observer, 3, 0, 4, 0, 0, 1}, *r.stats)
}

// With the user's dead letter index, a refused event is delivered once that index has it.
func TestElasticsearchLeavesDeadLetterIndexAlone(t *testing.T) {
	t.Parallel()
	r := newESRig(t, map[string]any{"non_indexable_policy.dead_letter_index.index": "dead"})
	r.status = func(index, doc string) int {
		if strings.Contains(doc, "worst") || strings.Contains(doc, "refused") && index == "main" {
			return http.StatusBadRequest
		}
		return 0
	}
	sent := labelled("kept", "refused", "worst", "kept")
	retry, isDone, err := r.publish(r.encode(sent...)...)
	require.NoError(t, err)
	require.False(t, isDone)
	require.Len(t, retry[0], 2)
	require.Empty(t, rejected(sent))

	others := labelled("kept")
	retry, isDone, err = r.publish(append(r.encode(others...), retry[0]...)...)
	require.NoError(t, err)
	require.True(t, isDone)
	require.Empty(t, retry)
	require.Equal(t, []string{"refused", "worst"}, rejected(sent), "an upper bound: the output reports only that the index refused one")
	require.Empty(t, rejected(others))
	require.Equal(t, tally{r.stats.Observer, 3, 2, 1, 0, 1, 2}, *r.stats)

	for label, want := range map[string][]string{"refused": nil, "worst": {"worst", "worst"}} {
		sent := labelled(label, label)
		retry, _, err := r.publish(r.encode(sent...)...)
		require.NoError(t, err)
		_, isDone, err = r.publish(retry[0]...)
		require.NoError(t, err)
		require.True(t, isDone)
		require.Equal(t, want, rejected(sent))
	}
}

// The user's configuration is not changed. A policy other than "drop" is left to libbeat.
func TestSetDeadLetterIndex(t *testing.T) {
	t.Parallel()
	info := beat.Info{Logger: logp.NewNopLogger()}
	for written, want := range map[string]string{
		"index: main":                      ownIndex,
		"non_indexable_policy.drop: ~":     ownIndex,
		"non_indexable_policy.drop: {}":    ownIndex,
		"non_indexable_policy: {drop: {}}": ownIndex,

		"non_indexable_policy.dead_letter_index.index: dead": "dead",
	} {
		config, err := conf.NewConfigWithYAML([]byte("hosts: [localhost]\n"+written), "")
		require.NoError(t, err)
		changed, _, err := setDeadLetterIndex(config, info)
		require.NoError(t, err, written)
		index, err := changed.String(deadLetterKey, -1)
		require.NoError(t, err, written)
		require.Equal(t, want, index, written)
		inUser, _ := config.String(deadLetterKey, -1)
		require.NotEqual(t, ownIndex, inUser, written)
		_, err = outputs.Load(mainIndex{}, info, nil, "elasticsearch", config)
		require.NoError(t, err, written)
	}
	config := conf.MustNewConfigFrom(map[string]any{"non_indexable_policy.burn.enabled": true})
	_, err := outputs.Load(mainIndex{}, info, nil, "elasticsearch", config)
	require.ErrorContains(t, err, "no such policy type: burn")
}
