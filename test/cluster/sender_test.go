//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// Senders post as those of the field do: a small batch often, and again after a pause when it fails.
const (
	batchSize  = 10
	interval   = 50 * time.Millisecond
	retryAfter = 200 * time.Millisecond
)

// sender posts one batch after the other from its own address, each until it is answered 200.
type sender struct {
	name   string
	client *harness.Client
	close  func()
}

// newSender makes the nth sender that keeps its connection, or that makes one for each request.
func newSender(n int, keeps bool) *sender {
	if !keeps {
		n += senders / 2
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(senderNet + strconv.Itoa(n))}, Timeout: 3 * time.Second}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: !keeps}
	return &sender{name: fmt.Sprintf("s%d", n), client: harness.NewClientOver(once{transport}), close: transport.CloseIdleConnections}
}

// once prevents net/http's own retries: each retry is the sender's.
type once struct{ http.RoundTripper }

func (o once) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.GetBody = nil
	return o.RoundTripper.RoundTrip(r)
}

// load is a number of senders at work, and what they were answered.
type load struct {
	t      testing.TB
	name   string // begins the ids of its messages
	ledger *harness.Ledger
	sink   *lumbersink.Sink
	size   int // messages in a batch
	// stop ends each sender after its batch is delivered, and halt ends them now.
	stop context.CancelFunc
	work context.Context //nolint:containedctx // it bounds the attempts of all senders
	halt context.CancelFunc
	wait sync.WaitGroup

	mu sync.Mutex
	// failed counts attempts without a 200, by answer.
	failed  map[string]int
	batches int
	// last is the time of the last 200 of each sender, and longest its longest wait for one.
	last    map[string]time.Time
	longest time.Duration
}

// listen starts the sink behind the Service logstash.
func listen(t testing.TB) *lumbersink.Sink {
	t.Helper()
	sink, err := lumbersink.Listen(logstash)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sink.Close()) })
	return sink
}

// send starts senders that keep their connections, and others that make one for each request.
func send(t testing.TB, sink *lumbersink.Sink, url string, kept, fresh int) *load {
	t.Helper()
	return sendBatches(t, sink, url, kept, fresh, batchSize)
}

// sendBatches is send with another number of messages in a batch.
func sendBatches(t testing.TB, sink *lumbersink.Sink, url string, kept, fresh, size int) *load {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	work, halt := context.WithCancel(context.Background())
	f := &load{t: t, name: rand.Text(), size: size, work: work, halt: halt, ledger: harness.NewLedger(t), sink: sink, stop: stop, failed: map[string]int{}, last: map[string]time.Time{}}
	var all []*sender
	for n := range kept {
		all = append(all, newSender(n+1, true))
	}
	for n := range fresh {
		all = append(all, newSender(n+1, false))
	}
	for _, s := range all {
		f.wait.Go(func() {
			defer s.close()
			f.run(ctx, s, url)
		})
	}
	t.Cleanup(func() {
		f.stop()
		f.wait.Wait()
		f.halt()
	})
	return f
}

// run posts until ctx ends, and then until the last batch is delivered.
func (f *load) run(ctx context.Context, s *sender, url string) {
	for n := 1; ctx.Err() == nil && f.work.Err() == nil; n++ {
		b := harness.NewBatch(fmt.Sprintf("%s-%s-%d", f.name, s.name, n), f.size)
		began := time.Now()
		for f.work.Err() == nil {
			a := f.ledger.PostBy(f.work, s.client, url, nil, b)
			if f.work.Err() != nil {
				return
			}
			f.count(s, a, began)
			if a.Err == nil && a.Code == http.StatusOK {
				break
			}
			harness.Pause(f.work, retryAfter)
		}
		harness.Pause(ctx, interval)
	}
}

func (f *load) count(s *sender, a harness.Answer, began time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.Err == nil && a.Code == http.StatusOK {
		f.batches++
		f.last[s.name] = a.At
		f.longest = max(f.longest, a.At.Sub(began))
		return
	}
	k := kind(a)
	if f.failed[k] == 0 {
		f.t.Logf("%s: %s for the first time, to %s: %s", a.At.Format("15:04:05.000"), k, s.name, a)
	}
	f.failed[k]++
}

// kind is an answer, or the kind of its error.
func kind(a harness.Answer) string {
	if a.Err == nil {
		return fmt.Sprintf("%d %s", a.Code, a.Body.Reason)
	}
	text := a.Err.Error()
	for _, known := range []string{"refused", "reset", "EOF", "i/o timeout", "no route"} {
		if strings.Contains(text, known) {
			return known
		}
	}
	return text
}

// failures are the attempts that failed so far.
func (f *load) failures() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.failed)
}

// awaitBatches waits for this many batches with a 200 more.
func (f *load) awaitBatches(more int) {
	f.t.Helper()
	now := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.batches
	}
	want := now() + more
	harness.Await(f.t, time.Minute, "batches with a 200", func() bool { return now() >= want })
}

// events are those of the load's messages: a sink outlives a load.
func (f *load) events() []lumbersink.Event {
	return slices.DeleteFunc(f.sink.Events(), func(e lumbersink.Event) bool { return !bytes.Contains(e.Raw, []byte(f.name)) })
}

// end stops the senders, checks that each 200 was true and nothing is lost, and reports. It returns the number of copies.
func (f *load) end(what string) (copies int) {
	f.t.Helper()
	f.stop()
	f.wait.Wait()
	events := f.events()
	if broken := f.ledger.Violations(events); len(broken) > 0 {
		require.FailNow(f.t, "the contract was broken", "%s", f.ledger.Report(broken, events, nil))
	}
	count := map[string]int{}
	for _, e := range events {
		id, _, err := harness.MessageOf(e.Raw)
		require.NoError(f.t, err)
		if count[id] > 0 {
			copies++
		}
		count[id]++
	}
	failed := "none"
	if len(f.failed) > 0 {
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(f.failed)) {
			parts = append(parts, fmt.Sprintf("%d × %s", f.failed[k], k))
		}
		failed = strings.Join(parts, ", ")
	}
	f.t.Logf("RESULT | %s | failed attempts: %s | lost 0 of %d | copies %d | longest wait %s",
		what, failed, f.ledger.Sent(), copies, f.longest.Round(10*time.Millisecond))
	return copies
}
