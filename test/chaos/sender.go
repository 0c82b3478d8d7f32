//go:build chaos

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/txn2/rtbeat/test/harness"
)

const (
	// senderPatience is how long a sender waits for an answer; longer than rtbeat's own timeout.
	senderPatience = 2500 * time.Millisecond
	// queueLimit is how far a sender's queue grows while nothing is taken.
	queueLimit = 300
)

// sender behaves as rxtx does: messages queue up, a batch is taken from the head of the queue, and only a 200 removes
// it. Until then the same messages are sent again, in a batch of another size under another uuid.
type sender struct {
	name   string
	rng    *rand.Rand
	ledger *harness.Ledger
	addr   string
	tally  *harness.Tally
	calls  *calls

	maxBatch int
	producer string // of its messages: two senders of one producer send equal ones
	fates    bool   // the processors drop or fail at some of its messages, in some attempts
	nameless bool   // every fifth message has no uuid
	queue    []harness.Message
	made     int

	feeding   atomic.Bool
	empty     atomic.Bool
	delivered atomic.Int64 // 200s so far
	lastOK    atomic.Int64 // when the last attempt with a 200 began
}

// run sends until nothing is fed and the queue is empty.
func (s *sender) run(ctx context.Context) {
	for ctx.Err() == nil {
		if s.feeding.Load() {
			s.feed(1 + s.rng.IntN(s.maxBatch/2))
		}
		if len(s.queue) == 0 {
			s.empty.Store(true)
			return
		}
		n := min(len(s.queue), 1+s.rng.IntN(s.maxBatch))
		began := time.Now()
		a := s.post(ctx, s.queue[:n:n])
		s.tally.Add(a)
		if a.Err == nil && a.Code == http.StatusOK {
			s.queue = s.queue[n:]
			s.delivered.Add(1)
			s.lastOK.Store(began.UnixNano())
			harness.Pause(ctx, time.Duration(s.rng.IntN(20))*time.Millisecond)
			continue
		}
		harness.Pause(ctx, time.Duration(20+s.rng.IntN(60))*time.Millisecond)
	}
}

func (s *sender) post(ctx context.Context, b harness.Batch) harness.Answer {
	ctx, cancel := context.WithTimeout(ctx, senderPatience)
	defer cancel()
	defer s.calls.enter(cancel)()
	with := harness.Attributes{By: s.name}
	if s.fates {
		with.Header, with.MayDrop = s.fate()
	}
	return s.ledger.PostWith(ctx, s.addr, b, with)
}

// feed adds messages behind those that wait.
func (s *sender) feed(n int) {
	for range min(n, queueLimit-len(s.queue)) {
		id, field := fmt.Sprintf("%s-%d", s.producer, s.made), "uuid"
		if s.nameless && s.made%5 == 4 {
			field = harness.NameField
		}
		// What a careless decoder ruins is part of every message.
		s.queue = append(s.queue, harness.Message{ID: id, Raw: json.RawMessage(fmt.Sprintf(
			`{"seq":"%d","time":"2024-05-06T07:08:09Z",%q:%q,"producer":%q,"label":%q,"key":"k",`+
				`"payload":{"n":%d,"big":9007199254740993,"none":null,"f":0.1}}`, s.made, field, id, s.producer, labels[s.made%len(labels)], s.made))})
		s.made++
	}
}

// calls are the attempts under way, so that a fault can make their senders go away.
type calls struct {
	mu   sync.Mutex
	next int
	open map[int]context.CancelFunc
}

func (c *calls) enter(cancel context.CancelFunc) (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = make(map[int]context.CancelFunc)
	}
	n := c.next
	c.next++
	c.open[n] = cancel
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.open, n)
	}
}

// hangUp ends every attempt under way, and says how many it were.
func (c *calls) hangUp() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cancel := range c.open {
		cancel()
	}
	return len(c.open)
}
