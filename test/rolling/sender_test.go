//go:build rolling

package rolling

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/txn2/rtbeat/test/harness"
)

const (
	batchSize = 5
	// interval is a sender's pause between two batches.
	interval = 20 * time.Millisecond
	// patience is the time after which an impatient sender gives up: less than the sink needs to acknowledge.
	patience = ackAfter / 3
	// givesUpEach says at which batches an impatient sender gives up.
	givesUpEach = 10
)

// sender posts one batch after the other from its own address, each until it is answered 200.
type sender struct {
	ip     string
	client *harness.Client
	// impatient senders sometimes give up before the answer, and retry at once: the first attempt is still in flight.
	impatient bool

	delivered, givenUp, joined atomic.Int64
	// failures is the number of failed attempts, without those given up.
	failures atomic.Int64
	// retried has the answers of failed first attempts, failed those of later failed attempts.
	retried, failed tally
}

// newSender makes the nth sender. Every other sender makes a new connection for each request. Two of three are impatient.
func newSender(t testing.TB, n int) *sender {
	t.Helper()
	s := &sender{ip: fmt.Sprintf("127.0.%d.%d", n%7, n+2), impatient: n%3 != 0}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(s.ip)}}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: n%2 == 1}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = harness.NewClientOver(once{transport})
	return s
}

// once prevents net/http's own retries: each retry is the sender's.
type once struct{ http.RoundTripper }

func (o once) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.GetBody = nil
	return o.RoundTripper.RoundTrip(r)
}

// run posts until ctx ends, and then until its last batch is delivered.
func (s *sender) run(ctx context.Context, l *harness.Ledger, url string) {
	for n := 1; ctx.Err() == nil; n++ {
		s.deliver(ctx, l, url, harness.NewBatch(fmt.Sprintf("%s-%d", s.ip, n), batchSize), s.impatient && n%givesUpEach == 0)
		harness.Pause(ctx, interval)
	}
}

// deliver sends a batch until it is answered 200. The first retry follows at once, as does the attempt after one given up. If
// that attempt fails, it counts as failed.
func (s *sender) deliver(ctx context.Context, l *harness.Ledger, url string, b harness.Batch, givesUp bool) {
	work := context.WithoutCancel(ctx) // the client's timeout bounds each attempt
	if givesUp {
		short, cancel := context.WithTimeout(work, patience)
		a := l.PostBy(short, s.client, url, nil, b)
		cancel()
		if a.Err != nil {
			s.givenUp.Add(1)
		}
	}
	for attempt := 1; ; attempt++ {
		a := l.PostBy(work, s.client, url, nil, b)
		if a.Err == nil && a.Code == http.StatusOK {
			if a.Body.Coalesced == len(b) {
				s.joined.Add(1)
			}
			s.delivered.Add(1)
			return
		}
		s.failures.Add(1)
		if attempt == 1 {
			s.retried.add(a)
			continue
		}
		s.failed.add(a)
		harness.Pause(work, 10*interval)
	}
}
