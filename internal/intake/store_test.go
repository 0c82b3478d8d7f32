package intake

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
)

// fakeStore is a store with the results of the test.
type fakeStore struct {
	err     error
	known   int
	release chan struct{} // Store waits for it, where there is one

	mu      sync.Mutex
	records []diskqueue.Record
	keys    [][]batch.Key
}

func (q *fakeStore) Store(ctx context.Context, r diskqueue.Record, _ []batch.Message, keys []batch.Key) (known int, err error) {
	q.mu.Lock()
	q.records, q.keys = append(q.records, r), append(q.keys, keys)
	q.mu.Unlock()
	if q.release != nil {
		select {
		case <-q.release:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	return q.known, q.err
}

func (q *fakeStore) Trouble() (time.Duration, error) { return 2 * time.Second, q.err }

func TestABatchIsStoredUnchanged(t *testing.T) {
	q := &fakeStore{known: 1}
	r := newRig(t, func(l *limits) { l.Store, l.Ack, l.Dedupe, l.IncludeHeaders = q, Persisted, true, []string{"x-tenant"} })
	body := "{\"uuid\":\"a\",\"n\":1.50}\n{\"n\":2}\n"
	req := r.request(body)
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("X-Tenant", "t1")
	require.JSONEq(t, `{"status":"OK","ack":"persisted","messages":2,"coalesced":1,"filtered":0}`, r.do(req).requireAnswer(delivered))
	r.requireUntouched()

	require.Len(t, q.records, 1)
	stored := q.records[0]
	require.Equal(t, body, string(stored.Body))
	require.True(t, stored.Lines)
	require.Equal(t, 2, stored.Messages)
	require.GreaterOrEqual(t, stored.Weight, int64(len(body)-2))
	require.Equal(t, map[string]string{"x-tenant": "t1"}, stored.Origin.Headers)
	require.NotEmpty(t, stored.Origin.ClientIP)
	require.WithinDuration(t, time.Now(), stored.Origin.Received, time.Minute)
	sum := sha256.Sum256([]byte(`{"uuid":"a","n":1.50}`))
	require.Equal(t, []batch.Key{batch.Key(sum[:16]), {}}, q.keys[0])
	require.Equal(t, &batch.Identity{Fields: []string{"uuid"}}, stored.Identity)
}

func TestWithoutDedupeTheQueueGetsNoKeys(t *testing.T) {
	q := &fakeStore{}
	r := newRig(t, func(l *limits) { l.Store, l.Ack = q, Persisted })
	r.do(r.request(`[{"uuid":"a"}]`)).requireAnswer(delivered)
	require.Nil(t, q.keys[0])
}

func TestAnEmptyBatchIsNotStored(t *testing.T) {
	q := &fakeStore{}
	r := newRig(t, func(l *limits) { l.Store, l.Ack = q, Persisted })
	require.Contains(t, r.do(r.request(`[]`)).requireAnswer(delivered), `"ack":"persisted"`)
	require.Empty(t, q.records)
}

func TestAMalformedBatchIsNotStored(t *testing.T) {
	q := &fakeStore{}
	r := newRig(t, func(l *limits) { l.Store, l.Ack = q, Persisted })
	r.do(r.request(`[{"a":1},{"a":}]`)).requireAnswer(malformedJSON)
	require.Empty(t, q.records)
}

// The 200 follows the commit. A disk that is slower than the timeout is a 504.
func TestTheAnswerWaitsForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeStore{release: make(chan struct{})}
		r := newRig(t, func(l *limits) { l.Store, l.Ack = q, Persisted })
		c := r.start(r.request(`[{"a":1}]`))
		time.Sleep(4 * time.Second)
		c.requireWaiting()
		q.release <- struct{}{}
		c.requireAnswer(delivered)

		c = r.start(r.request(`[{"a":1}]`))
		time.Sleep(4900 * time.Millisecond)
		c.requireWaiting()
		time.Sleep(200 * time.Millisecond)
		c.requireAnswer(ackTimeout)
	})
}

func TestReadyzLooksAtTheQueue(t *testing.T) {
	q := &fakeStore{}
	r := newRig(t, func(l *limits) { l.Store, l.Registry.StallAfter = q, time.Nanosecond })
	r.server.advance(phaseServing)
	readyz := func() string {
		res := r.server.readiness()
		return strings.TrimSpace(string(newReplier(r.server.handler).encode(res)))
	}
	require.JSONEq(t, `{"status":"OK"}`, readyz())
	q.err = diskqueue.ErrFull
	require.Contains(t, readyz(), `"reason":"queue_full"`)
	q.err = errors.New("input/output error")
	require.Contains(t, readyz(), `"reason":"queue_failed"`)
	require.NotContains(t, readyz(), "input/output", "the log says why")
	q.err = nil

	reservation, err := inflight.NewAdmission(1).Open(0)
	require.NoError(t, err)
	token, err := r.registry.Claim([]batch.Message{{}}, inflight.Origin{}, reservation)
	require.NoError(t, err)
	_, e, ok := token.Next()
	require.True(t, ok)
	e.ReachOutput()
	time.Sleep(time.Millisecond)
	require.Regexp(t, `^\{"status":"OK","reason":"degraded","message":"[^"]+","setting":"rtbeat.stall_after","age_seconds":0\}$`, readyz())
	require.Equal(t, 200, outcomes[degraded].status)
	r.registry.Ack([]any{e})
	token.Withdraw()
	require.Equal(t, ready, r.server.readiness().outcome)
}
