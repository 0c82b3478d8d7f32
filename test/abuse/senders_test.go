//go:build abuse

package abuse

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/txn2/rtbeat/test/harness"
)

const (
	busySenders  = 4                     // each sends a batch, waits think, and sends again
	think        = 25 * time.Millisecond // keeps rtbeat busy for a small part of the time
	calmSenders  = 8                     // each keeps a connection that is mostly idle
	calmThink    = 2 * time.Second
	retryAfter   = 200 * time.Millisecond
	lastTries    = 10 * time.Second
	batchSize    = 20
	tokenOfGood  = "good-senders-token-0123456789abcdef"
	headerOfGood = "Bearer " + tokenOfGood
)

// sample is one attempt of a good sender.
type sample struct {
	at     time.Time
	took   time.Duration
	failed string // the reason why it was not 200
	calm   bool
}

// senders are the good senders. They send until stop is called, each batch until its 200.
type senders struct {
	ledger *harness.Ledger
	stop   func()

	mu      sync.Mutex
	samples []sample
}

func startSenders(t *testing.T, r *running) *senders {
	t.Helper()
	s := &senders{ledger: harness.NewLedger(t)}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	s.stop = sync.OnceFunc(func() { cancel(); group.Wait() })
	t.Cleanup(s.stop)
	for i := range busySenders + calmSenders {
		group.Go(func() { s.send(ctx, r, i) })
	}
	return s
}

func (s *senders) send(ctx context.Context, r *running, i int) {
	calm := i >= busySenders
	pause := think
	if calm {
		pause = calmThink
		harness.Pause(ctx, time.Duration(i)*calmThink/(busySenders+calmSenders))
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	client := harness.NewClientOver(transport)
	header := http.Header{"Authorization": {headerOfGood}}
	given, cancel := context.WithCancel(context.Background()) // bounds the retries of the last batch
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastTries, cancel) })()
	for n := 0; ctx.Err() == nil; n++ {
		b := harness.NewBatch(fmt.Sprintf("good-%d-%d", i, n), batchSize)
		for {
			a := s.ledger.PostBy(context.WithoutCancel(ctx), client, r.url, header, b)
			s.note(a, calm)
			if a.Err == nil && a.Code == http.StatusOK || given.Err() != nil {
				break
			}
			harness.Pause(context.WithoutCancel(ctx), retryAfter)
		}
		harness.Pause(ctx, pause)
	}
}

func (s *senders) note(a harness.Answer, calm bool) {
	sm := sample{at: a.Start, took: a.Took(), calm: calm}
	switch {
	case a.Err != nil:
		sm.failed = "no answer: " + a.Err.Error()
	case a.Code != http.StatusOK:
		sm.failed = fmt.Sprintf("%d %s", a.Code, a.Body.Reason)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples = append(s.samples, sm)
}

// window has the good senders' attempts between two times.
type window struct {
	p50, p90, p99, max time.Duration
	answers            int
	failed             map[string]int
}

func (s *senders) between(from, to time.Time) window {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := window{failed: make(map[string]int)}
	var took []time.Duration
	for _, sm := range s.samples {
		switch {
		case sm.at.Before(from) || sm.at.After(to):
		case sm.failed != "":
			w.failed[sm.failed]++
		default:
			w.answers++
			if !sm.calm {
				took = append(took, sm.took)
			}
		}
	}
	if len(took) > 0 {
		slices.Sort(took)
		at := func(p int) time.Duration { return took[(len(took)-1)*p/100] }
		w.p50, w.p90, w.p99, w.max = at(50), at(90), at(99), at(100)
	}
	return w
}
