//go:build e2e

package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elastic/mock-es/pkg/api"
	"github.com/gofrs/uuid/v5"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// store is an Elasticsearch that keeps documents by their id, with the bulk API only.
type store struct {
	t      testing.TB
	server *httptest.Server

	mu       sync.Mutex
	docs     map[string]map[string][]byte // index → id
	nameless [][]byte
	actions  []string
	copies   int
	refuse   func(index string, doc string) int
}

func startStore(t testing.TB, refuse func(index, doc string) int) *store {
	t.Helper()
	s := &store{t: t, docs: map[string]map[string][]byte{}, refuse: refuse}
	s.server = httptest.NewServer(api.NewDeterministicAPIHandler(uuid.Must(uuid.NewV4()), "", nil, time.Now().Add(time.Hour), 0, 0, s.take))
	t.Cleanup(s.server.Close)
	return s
}

func (s *store) take(action api.Action, doc []byte) int {
	var meta struct {
		Index string `json:"_index"`
		ID    string `json:"_id"`
	}
	if err := json.Unmarshal(action.Meta, &meta); err != nil {
		return http.StatusBadRequest
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actions = append(s.actions, action.Action)
	if s.refuse != nil {
		if status := s.refuse(meta.Index, string(doc)); status != 0 {
			return status
		}
	}
	if meta.ID == "" {
		s.nameless = append(s.nameless, append([]byte(nil), doc...))
		return http.StatusCreated
	}
	if s.docs[meta.Index] == nil {
		s.docs[meta.Index] = map[string][]byte{}
	}
	if _, there := s.docs[meta.Index][meta.ID]; there {
		s.copies++
		if action.Action == "create" {
			return http.StatusConflict
		}
	}
	s.docs[meta.Index][meta.ID] = append([]byte(nil), doc...)
	return http.StatusCreated
}

// setRefuse changes the store's refusals.
func (s *store) setRefuse(refuse func(index, doc string) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

// ids are the ids of the documents in an index.
func (s *store) ids(index string) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.docs[index] {
		ids = append(ids, id)
	}
	return ids
}

func (s *store) settings(more map[string]any) harness.Settings {
	output := map[string]any{"hosts": []string{s.server.URL}, "index": "rtbeat", "allow_older_versions": true, "backoff.init": "50ms", "backoff.max": "100ms"}
	maps.Copy(output, more)
	return harness.Settings{Kind: "elasticsearch", Rtbeat: quick, Output: output, Setup: map[string]any{"template.enabled": false, "ilm.enabled": false}}
}

// refusing refuses documents with a label.
func refusing(label string, status int) func(string, string) int {
	return func(index, doc string) int {
		if index == "rtbeat" && strings.Contains(doc, `"label":"`+label+`"`) {
			return status
		}
		return 0
	}
}

// The id of each document is made of its message's bytes. A document that exists already is delivered.
func TestOutputElasticsearch(t *testing.T) {
	t.Parallel()
	for _, opType := range []string{"", "index"} {
		t.Run("op_type "+opType, func(t *testing.T) {
			t.Parallel()
			s := startStore(t, nil)
			settings := s.settings(nil)
			settings.Rtbeat = map[string]any{"timeout": 2, "dedupe.enabled": false}
			want := "create"
			if opType != "" {
				want = opType
				settings.Processors = []any{map[string]any{"add_fields": map[string]any{"target": "@metadata", "fields": map[string]any{"op_type": opType}}}}
			}
			b := harness.StartBeat(t, settings)
			c := harness.NewClient(t)
			batch := harness.NewBatch("es", 20)
			for range 2 {
				requireDelivered(t, c.Post(t.Context(), b.Addr, batch.Body()), 20)
			}
			require.ElementsMatch(t, batch.DocumentIDs(), s.ids("rtbeat"))
			require.Equal(t, 20, s.copies, "they were sent twice, and are stored once")
			require.NotContains(t, strings.ReplaceAll(strings.Join(s.actions, " "), want, ""), "e")
			b.Stop()
		})
	}
}

// Two different messages with one uuid are two documents in the store.
func TestOutputElasticsearchKeepsTwoMessagesOfOneUUID(t *testing.T) {
	t.Parallel()
	s := startStore(t, nil)
	b := harness.StartBeat(t, s.settings(nil))
	requireDelivered(t, harness.NewClient(t).Post(t.Context(), b.Addr, []byte("["+sameUUID+"]")), 2)
	require.Len(t, s.ids("rtbeat"), 2)
	require.Zero(t, s.copies)
	b.Stop()
}

// A busy store is tried again. No sender has a 200 before the document is stored.
func TestOutputElasticsearchBusy(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			s := startStore(t, refusing("busy", status))
			settings := s.settings(nil)
			settings.Queue = map[string]any{"flush.timeout": "50ms", "flush.min_events": 200} // one request: it is retried before any other
			b := harness.StartBeat(t, settings)
			c := harness.NewClient(t)
			batch := harness.NewLabelledBatch("busy", 10, func(i int) string { return []string{"keep", "busy"}[i%2] })
			requireTimeout(t, c.Post(t.Context(), b.Addr, batch.Body()), 10)
			require.Len(t, s.ids("rtbeat"), 5)
			s.setRefuse(nil)
			harness.Await(t, 20*time.Second, "the 200 of a retry", func() bool { return c.Post(t.Context(), b.Addr, batch.Body()).Code == http.StatusOK })
			require.ElementsMatch(t, batch.DocumentIDs(), s.ids("rtbeat"))
			require.Zero(t, b.Metric("rtbeat_events_rejected_total"))
			b.Stop()
		})
	}
}

// The store refuses some documents for good, among those of many senders, with several clients. Each sender learns of its own
// documents, and of no others.
func TestOutputElasticsearchRejects(t *testing.T) {
	t.Parallel()
	for name, output := range map[string]map[string]any{"one client": nil, "workers": {"worker": 3, "bulk_max_size": 50}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startStore(t, refusing("poison", http.StatusBadRequest))
			settings := s.settings(output)
			settings.Queue = map[string]any{"flush.timeout": "50ms", "flush.min_events": 200} // batches share requests
			b := harness.StartBeat(t, settings)
			var senders sync.WaitGroup
			for sender := range 8 {
				c := harness.NewClient(t)
				senders.Go(func() {
					for i := range 6 {
						poison := (sender+i)%3 == 0
						batch := harness.NewLabelledBatch(string(rune('A'+sender))+string(rune('a'+i)), 25, func(i int) string {
							if poison && (i == 3 || i == 20) {
								return "poison"
							}
							return "keep"
						})
						a := c.Post(t.Context(), b.Addr, batch.Body())
						switch {
						case !poison && a.Code != http.StatusOK,
							poison && (a.Code != http.StatusBadGateway || a.Body.Rejected != 2 || a.Body.Acked != 23):
							t.Errorf("poison=%t: %s", poison, a)
						}
					}
				})
			}
			senders.Wait()
			require.Len(t, s.ids("rtbeat"), 8*6*25-2*16)
			require.Equal(t, 2*16, int(b.Metric("rtbeat_events_rejected_total")))
			require.Equal(t, 2*16, int(b.Metric("rtbeat_libbeat_output_events_dropped_total")), "the search for refused documents counts nothing twice")
			b.Stop()
		})
	}
}

// Documents without an _id are told apart as well, and none is sent twice.
func TestOutputElasticsearchRejectsWithoutID(t *testing.T) {
	t.Parallel()
	s := startStore(t, refusing("poison", http.StatusBadRequest))
	b := harness.StartBeat(t, s.settings(nil))
	c := harness.NewClient(t)
	body := []byte(`[{"label":"keep"},{"label":"poison"},{"uuid":"a","label":"keep"},{"uuid":"b","label":"poison"}]`)
	requireRejected(t, c.Post(t.Context(), b.Addr, body), 4, 2)
	require.Len(t, s.nameless, 1, "sent once")
	require.Equal(t, []string{harness.DocumentID([]byte(`{"uuid":"a","label":"keep"}`))}, s.ids("rtbeat"))
	require.NotContains(t, b.Log.String(), "dead letter")
	b.Stop()
}

// With a dead letter index, refused documents are stored there, and count as delivered.
func TestOutputElasticsearchDeadLetters(t *testing.T) {
	t.Parallel()
	s := startStore(t, refusing("poison", http.StatusBadRequest))
	b := harness.StartBeat(t, s.settings(map[string]any{"non_indexable_policy.dead_letter_index.index": "dead"}))
	c := harness.NewClient(t)
	batch := harness.NewLabelledBatch("dead", 4, func(i int) string { return []string{"keep", "poison"}[i%2] })
	requireDelivered(t, c.Post(t.Context(), b.Addr, batch.Body()), 4)
	require.ElementsMatch(t, harness.Batch{batch[0], batch[2]}.DocumentIDs(), s.ids("rtbeat"))
	require.ElementsMatch(t, harness.Batch{batch[1], batch[3]}.DocumentIDs(), s.ids("dead"))

	s.setRefuse(func(_, doc string) int { // the dead letter index refuses too
		if strings.Contains(doc, "poison") {
			return http.StatusBadRequest
		}
		return 0
	})
	worse := harness.NewLabelledBatch("worse", 4, func(i int) string { return []string{"keep", "poison"}[i%2] })
	requireRejected(t, c.Post(t.Context(), b.Addr, worse.Body()), 4, 2)
	b.Stop()
}
