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
	// patience is how long a sender waits who gives up too early: less than the sink takes to acknowledge.
	patience = ackAfter / 3
	// givesUpEach is which of its batches such a sender does that with.
	givesUpEach = 10
)

// sender posts one batch after the other from an address of its own, each until it is answered 200.
type sender struct {
	ip     string
	client *harness.Client
	// impatient senders give up now and then before the answer, and come again at once: a retry of what is in flight.
	impatient bool

	delivered, givenUp, joined atomic.Int64
	// failures is how many attempts have failed, of those that were not given up.
	failures atomic.Int64
	// retried are the answers to first attempts that failed, failed those to later ones.
	retried, failed tally
}

// newSender makes the nth sender. Every other one has a new connection for each request; two of three are impatient.
func newSender(t testing.TB, n int) *sender {
	t.Helper()
	s := &sender{ip: fmt.Sprintf("127.0.%d.%d", n%7, n+2), impatient: n%3 != 0}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(s.ip)}}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: n%2 == 1}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = harness.NewClientOver(once{transport})
	return s
}

// once keeps net/http from sending a request again by itself: each retry is the sender's.
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

// deliver sends a batch until it is answered 200. The first retry comes at once, and so does the attempt after one that
// was given up; what fails then has failed.
func (s *sender) deliver(ctx context.Context, l *harness.Ledger, url string, b harness.Batch, givesUp bool) {
	work := context.WithoutCancel(ctx) // the client's own timeout bounds each attempt
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
