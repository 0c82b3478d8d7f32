package intake

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/source"
)

// attempt is a request of a sender with one kind of id.
type attempt struct {
	body    string
	headers map[string]string
}

func (r *rig) attempt(a attempt, path string) *http.Request {
	req := r.request(a.body)
	req.URL.Path = path
	for name, value := range a.headers {
		req.Header.Set(name, value)
	}
	return req
}

// A retry waits for the first attempt in flight, and finds it delivered later. Other bytes, another id and another source are other
// messages.
func TestRetriesOfEachKindOfID(t *testing.T) {
	key := func(value string) map[string]string { return map[string]string{"Idempotency-Key": value} }
	delivery := func(value string) map[string]string {
		return map[string]string{"X-Delivery": value, "Idempotency-Key": "differs in each attempt " + value}
	}
	defaults := source.DefaultSettings().ID
	for name, tt := range map[string]struct {
		id     source.ID
		one    attempt // sent again
		others []attempt
	}{
		"a field":            {defaults, attempt{`[{"uuid":"a"}]`, nil}, []attempt{{`[{"uuid":"a" }]`, nil}, {`[{"uuid":"b"}]`, nil}}},
		"a number":           {defaults, attempt{`[{"uuid":7}]`, nil}, []attempt{{`[{"uuid":8}]`, nil}}},
		"a field in a group": {source.ID{Fields: []string{"id", "event.id"}}, attempt{`[{"event":{"id":"a"}}]`, nil}, []attempt{{`[{"event":{"id":"b"}}]`, nil}, {`[{"id":"a"}]`, nil}}},
		"a header":           {source.ID{Header: []string{"X-Missing", "x-delivery"}, IdempotencyKey: true}, attempt{`[{"n":1}]`, delivery("a")}, []attempt{{`[{"n":1}]`, delivery("b")}, {`[{"n":2}]`, delivery("a")}, {`[{"n":1}]`, nil}}},
		"a long header":      {source.ID{Header: []string{"X-Delivery"}}, attempt{`[{"n":1}]`, delivery(strings.Repeat("x", 1000) + "a")}, []attempt{{`[{"n":1}]`, delivery(strings.Repeat("x", 1000) + "b")}}},
		"bytes in a header":  {source.ID{Header: []string{"X-Delivery"}}, attempt{`[{"n":1}]`, delivery("\xff")}, []attempt{{`[{"n":1}]`, delivery("\xfe")}}},
		"Idempotency-Key":    {defaults, attempt{`[{"n":1}]`, key("a")}, []attempt{{`[{"n":1}]`, key("b")}, {`[{"n":1}]`, nil}}},
		"content":            {source.ID{Content: true}, attempt{`[{"n":1}]`, key("not honoured")}, []attempt{{`[{"n":2}]`, nil}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(l *limits) {
					l.ID = tt.id
					other := sourceAt(t, "other", "/other", "")
					other.ID = tt.id
					l.Others = []Source{other}
				})
				first := r.start(r.attempt(tt.one, "/in"))
				job := r.take()
				job.handOver(1)
				first.requireAnswer(ackTimeout)
				again := r.start(r.attempt(tt.one, "/in"))
				again.requireWaiting()
				r.requireUntouched()
				elsewhere := r.start(r.attempt(tt.one, "/other"))
				r.take().deliver()
				require.Contains(t, elsewhere.requireAnswer(delivered), `"coalesced":0`)
				job.ack(1)
				require.Contains(t, again.requireAnswer(delivered), `"coalesced":1`)
				require.Contains(t, r.do(r.attempt(tt.one, "/in")).requireAnswer(delivered), `"coalesced":1`, "a late retry")
				require.Contains(t, r.do(r.attempt(tt.one, "/other")).requireAnswer(delivered), `"coalesced":1`, "a late retry elsewhere")
				for _, other := range tt.others {
					call := r.start(r.attempt(other, "/in"))
					r.take().deliver()
					require.Contains(t, call.requireAnswer(delivered), `"coalesced":0`, "%v", other)
				}
			})
		})
	}
}

// Message i of a batch has the key and its index: the same message twice is two, and a retry of the batch is none.
func TestTheIndexBelongsToTheKeyOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		twice := attempt{`[{"n":1},{"n":1},{"uuid":"a"}]`, map[string]string{"Idempotency-Key": "k"}}
		call := r.start(r.attempt(twice, "/in"))
		job := r.take()
		job.handOver(3)
		job.ack(3)
		require.Contains(t, call.requireAnswer(delivered), `"coalesced":0`)
		require.Contains(t, r.do(r.attempt(twice, "/in")).requireAnswer(delivered), `"coalesced":3`)
	})
}
