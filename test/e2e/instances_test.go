//go:build e2e

package e2e

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// identified is a request to a source of its own.
type identified struct {
	name     string
	source   map[string]any // besides name and path
	header   http.Header
	body     string
	messages int
}

// Each kind of id of docs/delivery.md, and messages without one.
var (
	byContent = []identified{
		{"in", nil, nil, `[{"uuid":"1","n":1},{"uuid":"1","n":2},{"uuid":"2","n":1}]`, 3},
		{"field", map[string]any{"id.fields": []string{"event.id"}}, nil, `[{"event":{"id":1},"n":1},{"event":{"id":2},"n":1}]`, 2},
		{"header", map[string]any{"id.header": "X-Delivery"}, http.Header{"X-Delivery": {"d"}}, `[{"n":1},{"n":1}]`, 2},
		{"key", nil, http.Header{"Idempotency-Key": {"k"}}, `[{"n":1},{"n":1}]`, 2},
		{"bytes", map[string]any{"id.content": true}, nil, `[{"n":1},{"n":2}]`, 2},
		{"invalid", map[string]any{"on_invalid": "event"}, http.Header{"Content-Type": {"application/x-ndjson"}}, "{\"uuid\":\"1\"}\n{\"n\":\n", 2},
	}
	byUUID  = []identified{{"in", nil, nil, `[{"uuid":"1","n":1},{"uuid":"2","n":1}]`, 2}}
	unknown = identified{"none", nil, nil, `[{"n":1},{"n":2}]`, 2}
)

// Two instances and one store. A sender that heard no 200 from the first sends the batch again to the second. Both publish it, and
// the store has each message with an id once, and each other one twice.
func TestARetryAtAnotherInstanceIsOneDocument(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		documentID string
		requests   []identified
		patience   time.Duration // of the sender at the first instance; 0 waits for its 504
	}{
		"504":            {"content", byContent, 0},
		"cut connection": {"content", byContent, time.Second},
		"uuid":           {"uuid", byUUID, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startStore(t, func(string, string) int { return http.StatusServiceUnavailable })
			requests := append([]identified{unknown}, test.requests...)
			settings := s.settings(nil)
			var sources []any
			var known int
			for _, r := range requests {
				source := map[string]any{"name": r.name, "path": "/" + r.name}
				maps.Copy(source, r.source)
				sources = append(sources, source)
				known += r.messages
			}
			known -= unknown.messages
			settings.Rtbeat = map[string]any{"timeout": 2, "document_id": test.documentID, "sources": sources}
			first, second := harness.StartBeat(t, settings), harness.StartBeat(t, settings)

			for name, a := range postAll(t, first, requests, test.patience) {
				if test.patience > 0 {
					require.Error(t, a.Err, "%s: %s", name, a)
				} else {
					require.Equal(t, http.StatusGatewayTimeout, a.Code, "%s: %s", name, a)
				}
			}
			s.setRefuse(nil)
			for name, a := range postAll(t, second, requests, 0) {
				require.Equal(t, http.StatusOK, a.Code, "%s: %s", name, a)
				require.Zero(t, a.Body.Coalesced, "%s: the second instance knows nothing of the first", name)
			}
			harness.Await(t, 20*time.Second, "both instances have published all messages", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.copies == known && len(s.nameless) == 2*unknown.messages
			})
			require.Len(t, s.ids("rtbeat"), known)
			first.Stop()
			second.Stop()
		})
	}
}

// postAll posts the requests at the same time, and gives up after patience, unless that is 0.
func postAll(t *testing.T, b *harness.Beat, requests []identified, patience time.Duration) map[string]harness.Answer {
	t.Helper()
	ctx := t.Context()
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	answers := map[string]harness.Answer{}
	var mu sync.Mutex
	var senders sync.WaitGroup
	for _, r := range requests {
		c := harness.NewClient(t)
		senders.Go(func() {
			a := c.PostTo(ctx, "http://"+b.Addr+"/"+r.name, r.header, []byte(r.body))
			mu.Lock()
			defer mu.Unlock()
			answers[r.name] = a
		})
	}
	senders.Wait()
	return answers
}
