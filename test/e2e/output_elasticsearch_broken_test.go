//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// before puts a handler before the store.
func (s *store) before(bulk func(w http.ResponseWriter, r *http.Request, store http.Handler)) {
	inner := s.server.Config.Handler
	s.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "_bulk") {
			bulk(w, r, inner)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// A request that is too large is sent again in halves. A document that is too large by itself is given up, and no other document.
func TestOutputElasticsearchTooLarge(t *testing.T) {
	t.Parallel()
	s := startStore(t, nil)
	var refused atomic.Int64
	s.before(func(w http.ResponseWriter, r *http.Request, store http.Handler) {
		if r.ContentLength > 20_000 {
			refused.Add(1)
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		store.ServeHTTP(w, r)
	})
	settings := s.settings(map[string]any{"compression_level": 0})
	settings.Queue = map[string]any{"flush.timeout": "50ms", "flush.min_events": 200}
	b := harness.StartBeat(t, settings)
	c := harness.NewClient(t)

	batch := harness.Padded("large", 20, 3000)
	requireDelivered(t, c.Post(t.Context(), b.Addr, batch.Body()), 20)
	require.ElementsMatch(t, batch.DocumentIDs(), s.ids("rtbeat"))
	require.GreaterOrEqual(t, refused.Load(), int64(3))

	mixed := append(harness.Padded("mixed", 10, 3000), message("giant", map[string]any{"pad": strings.Repeat("x", 30_000)}))
	mixed = append(mixed, harness.Padded("behind", 5, 3000)...)
	requireRejected(t, c.Post(t.Context(), b.Addr, mixed.Body()), 16, 1)
	require.Len(t, s.ids("rtbeat"), 35)
	require.NotContains(t, s.ids("rtbeat"), harness.DocumentID(mixed[10].Raw))
	b.Stop()
}

// A document missing in an answer does not count as delivered.
func TestOutputElasticsearchAnswersInPart(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w http.ResponseWriter, answer []byte){
		"cut in its midst": func(w http.ResponseWriter, answer []byte) {
			w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
			_, _ = w.Write(answer[:len(answer)/2])
		},
		"half of its text": func(w http.ResponseWriter, answer []byte) { _, _ = w.Write(answer[:len(answer)/2]) },
		"half of its items": func(w http.ResponseWriter, answer []byte) {
			var all struct {
				Items []json.RawMessage `json:"items"`
			}
			if json.Unmarshal(answer, &all) == nil {
				all.Items = all.Items[:len(all.Items)/2]
			}
			_ = json.NewEncoder(w).Encode(all)
		},
		"no items":                    func(w http.ResponseWriter, _ []byte) { _, _ = w.Write([]byte(`{"errors":false}`)) },
		"items without a status":      func(w http.ResponseWriter, _ []byte) { _, _ = w.Write([]byte(`{"items":[{"create":{}}]}`)) },
		"nothing":                     func(http.ResponseWriter, []byte) {},
		"the whole request forbidden": func(w http.ResponseWriter, _ []byte) { w.WriteHeader(http.StatusUnauthorized) },
		"the whole request malformed": func(w http.ResponseWriter, _ []byte) { w.WriteHeader(http.StatusBadRequest) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startStore(t, nil)
			var well atomic.Bool
			s.before(func(w http.ResponseWriter, r *http.Request, store http.Handler) {
				if well.Load() {
					store.ServeHTTP(w, r)
					return
				}
				answer := httptest.NewRecorder()
				store.ServeHTTP(answer, r)
				w.Header().Set("X-Elastic-Product", "Elasticsearch")
				spoil(w, bytes.Clone(answer.Body.Bytes()))
			})
			b := harness.StartBeat(t, s.settings(nil))
			c := harness.NewClient(t)
			batch := harness.NewBatch("part", 10)
			a := c.Post(t.Context(), b.Addr, batch.Body())
			require.Equal(t, http.StatusGatewayTimeout, a.Code, "%s", a)
			well.Store(true)
			harness.Await(t, 20*time.Second, "the 200 of a retry", func() bool { return c.Post(t.Context(), b.Addr, batch.Body()).Code == http.StatusOK })
			require.ElementsMatch(t, batch.DocumentIDs(), s.ids("rtbeat"))
			require.Zero(t, b.Metric("rtbeat_events_rejected_total"))
			b.Stop()
		})
	}
}

// In durable mode senders had their 200. A refused document is sent again until it is accepted. Other documents are delivered
// meanwhile.
func TestOutputElasticsearchRejectsDurable(t *testing.T) {
	t.Parallel()
	s := startStore(t, refusing("poison", http.StatusBadRequest))
	settings := durably(t, s.settings(nil))
	b := harness.StartBeat(t, settings)
	l := durableLedger(t)
	batch := harness.NewLabelledBatch("durable", 8, func(i int) string { return []string{"keep", "poison"}[i%2] })
	requirePersisted(t, l.Post(t.Context(), b.Addr, batch), 8)
	persist(t, l, b.Addr, "behind", 20)
	harness.Await(t, 10*time.Second, "the other documents", func() bool { return len(s.ids("rtbeat")) == 204 })
	harness.Await(t, 10*time.Second, "another attempt", func() bool { return b.Metric("rtbeat_libbeat_output_events_dropped_total") >= 8 })
	require.Zero(t, s.copies, "only refused documents are sent again")
	require.Subset(t, s.ids("rtbeat"), harness.Batch{batch[0], batch[2], batch[4], batch[6]}.DocumentIDs())

	s.setRefuse(nil)
	harness.Await(t, 20*time.Second, "the rest", func() bool { return len(s.ids("rtbeat")) == 208 })
	require.Zero(t, s.copies)
	stopWith(t, b, 0)
}
