package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/bench/message"
)

// ids numbers the messages of a whole run: a message that comes twice would be joined to the first.
var ids atomic.Uint64

// errEnough ends a measurement whose time is over.
var errEnough = errors.New("enough")

// load is a number of senders, each of which waits for its answer before it sends again.
type load struct {
	senders  int
	messages int // in a batch
	size     message.Size
	gzip     bool
}

// bodies keeps what is long to make for the next round.
type bodies map[load]*message.Body

func (b bodies) of(l load) *message.Body {
	l.senders, l.gzip = 0, false
	if b[l] == nil {
		b[l] = message.NewBody(l.messages, l.size)
	}
	return b[l]
}

// run keeps the senders posting for d. What it returns is from before the first request until after the last answer, so
// that all the work for just these events is in it.
func (l load) run(ctx context.Context, b *beat, sink *lumbersink.Sink, body *message.Body, d time.Duration) (sample, error) {
	opened, err := dialAll(ctx, b.address, l.senders)
	if err != nil {
		return sample{}, err
	}
	defer opened.close()
	senders := make([]*sender, l.senders)
	for i, c := range opened {
		senders[i] = &sender{connection: c, body: body.Clone(), messages: l.messages}
		if l.gzip {
			senders[i].packed, senders[i].packer = &bytes.Buffer{}, newPacker()
		}
	}
	before, err := readCounters(b.process, sink)
	if err != nil {
		return sample{}, err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	enough := time.AfterFunc(d, func() { end(errEnough) })
	defer enough.Stop()

	var group sync.WaitGroup
	var answered atomic.Int64
	for _, s := range senders {
		group.Go(func() {
			for ctx.Err() == nil {
				if err := s.send(); err != nil {
					end(err) // the first one stays
					return
				}
				answered.Add(int64(l.messages))
			}
		})
	}
	group.Wait()                                     // each request has a time limit
	if err := context.Cause(ctx); err != errEnough { //nolint:errorlint // itself, not something that wraps it
		return sample{}, fmt.Errorf("sending: %w", err)
	}
	// In durable mode events arrive after the answer.
	if err := arrived(sink, before.received, int(answered.Load())); err != nil {
		return sample{}, err
	}
	after, err := readCounters(b.process, sink)
	return before.until(after), err
}

// sender is one of the senders: a connection, and the batch that it sends.
type sender struct {
	connection *connection
	body       *message.Body
	messages   int
	packed     *bytes.Buffer
	packer     *gzip.Writer // nil for plain bodies
}

// newPacker compresses as fast as possible: it shares its core with the sink. What a body costs rtbeat to decompress hardly
// depends on it.
func newPacker() *gzip.Writer {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil { // the level is valid
		panic(err)
	}
	return w
}

// send sends the batch once, with new numbers.
func (s *sender) send() error {
	text := s.body.Numbered(ids.Add(uint64(s.messages)))
	if s.packer == nil {
		return s.connection.post(text, "")
	}
	s.packed.Reset()
	s.packer.Reset(s.packed)
	if _, err := s.packer.Write(text); err != nil {
		return fmt.Errorf("compressing: %w", err)
	}
	if err := s.packer.Close(); err != nil {
		return fmt.Errorf("compressing: %w", err)
	}
	return s.connection.post(s.packed.Bytes(), "gzip")
}
