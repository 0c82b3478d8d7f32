//go:build chaos

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/txn2/rtbeat/test/harness"
)

const (
	// attemptTimeout is the time that a sender waits for an answer. It is longer than rtbeat's timeout.
	attemptTimeout = 2500 * time.Millisecond
	// queueLimit bounds a sender's queue during an outage.
	queueLimit = 300
)

// sender works as rxtx does: a batch is the head of its queue, and only a 200 removes the batch. Until then the same messages are
// sent again, in a batch of another size with another uuid.
type sender struct {
	name   string
	rng    *rand.Rand
	ledger *harness.Ledger
	addr   string
	tally  *harness.Tally

	maxBatch int
	producer string // of its messages: two senders of one producer send equal messages
	fates    bool   // the processors drop or fail at a few of its messages, in a few attempts
	nameless bool   // every fifth message has no uuid
	kind     idKind // what makes its messages known
	key      string // of the batch that is being sent, for kinds of a request; "" between two batches
	keyed    int    // the messages of that batch
	queue    []harness.Message
	made     int

	feeding atomic.Bool
	empty   atomic.Bool
	lastOK  atomic.Int64                       // the start of the last attempt with a 200
	cancel  atomic.Pointer[context.CancelFunc] // of the last attempt, for faults that take the sender away
}

// run sends until feeding has ended and the queue is empty.
func (s *sender) run(ctx context.Context) {
	for ctx.Err() == nil {
		if s.feeding.Load() {
			s.feed(1 + s.rng.IntN(s.maxBatch/2))
		}
		if len(s.queue) == 0 {
			s.empty.Store(true)
			return
		}
		n := s.next()
		began := time.Now()
		a := s.post(ctx, s.queue[:n:n])
		s.tally.Add(a)
		if a.Err == nil && a.Code == http.StatusOK {
			s.queue, s.key = s.queue[n:], ""
			s.lastOK.Store(began.UnixNano())
			harness.Pause(ctx, time.Duration(s.rng.IntN(20))*time.Millisecond)
			continue
		}
		harness.Pause(ctx, time.Duration(20+s.rng.IntN(60))*time.Millisecond)
	}
}

func (s *sender) post(ctx context.Context, b harness.Batch) harness.Answer {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	s.cancel.Store(&cancel)
	with := harness.Attributes{By: s.name, Path: s.kind.path}
	if s.key != "" {
		with.Header = http.Header{s.kind.header: {s.key}}
	}
	if s.fates {
		with.Header, with.MayDrop = s.fate()
	}
	return s.ledger.PostWith(ctx, s.addr, b, with)
}

// next returns how many messages the next attempt has. A batch whose id is in a header stays as it is until its 200.
func (s *sender) next() int {
	n := min(len(s.queue), 1+s.rng.IntN(s.maxBatch))
	if s.kind.header == "" {
		return n
	}
	if s.key == "" {
		s.key, s.keyed = fmt.Sprintf("%s-%d", s.name, s.made), n
	}
	return s.keyed
}

// feed adds messages to the queue.
func (s *sender) feed(n int) {
	for range min(n, queueLimit-len(s.queue)) {
		id, field := fmt.Sprintf("%s-%d", s.producer, s.made), "uuid"
		if s.nameless && s.made%5 == 4 {
			field = harness.NameField
		}
		inner := ""
		if s.kind.path != "" { // known without a uuid
			field, inner = harness.NameField, fmt.Sprintf(`"event":{"id":%q},`, id)
		}
		// Every message has values that a careless decoder changes.
		s.queue = append(s.queue, harness.Message{ID: id, Raw: json.RawMessage(fmt.Sprintf(
			`{"seq":"%d","time":"2024-05-06T07:08:09Z",%s%q:%q,"producer":%q,"label":%q,"key":"k",`+
				`"payload":{"n":%d,"big":9007199254740993,"none":null,"f":0.1}}`, s.made, inner, field, id, s.producer, labels[s.made%len(labels)], s.made))})
		s.made++
	}
}
