package intake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/contentcoding"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
)

// handler has what the endpoints of all sources share.
type handler struct {
	Settings
	Parts
	counters     *counters
	requests     *inflight.Admission // bounds the memory of requests beside their batches
	gates        gates
	decompressor *contentcoding.Decompressor
	leaving      func() bool // each answer closes its connection
}

// post is a request to a source, with all that it must release.
type post struct {
	*endpoint
	w        http.ResponseWriter
	req      *http.Request
	received time.Time
	invalid  *int      // messages that are not valid; nil before decoding, and where such a message refuses its body
	complete time.Time // end of the body; the timeout counts from here
	format   format
	options  batch.Options // of the body

	signature   auth.Pending          // to be compared with the body
	requestSlot *inflight.Reservation // of the request
	reservation *inflight.Reservation // of its batch, until the token has it
	unpin       func()                // lets the connection be closed again
	decodeSlot  *inflight.DecodeSlot
	token       *inflight.BatchAck
}

// serve takes a request through its steps. Without an error, the output is done with every message of the batch, the batch is
// on the disk, or it is empty. serve returns the progress of the batch with an error too.
func (p *post) serve() (inflight.Progress, error) {
	defer p.release()
	if err := p.admit(); err != nil {
		return inflight.Progress{}, err
	}
	wire, err := p.read()
	if err != nil {
		return inflight.Progress{}, err
	}
	if refusal := p.signature.Verify(wire); refusal != nil {
		return inflight.Progress{}, &authError{refusal}
	}
	if err := p.pin(); err != nil {
		return inflight.Progress{}, err
	}
	if err := p.answerChallenge(wire); err != nil {
		return inflight.Progress{}, err
	}
	body, messages, err := p.decode(wire)
	if err != nil || len(messages) == 0 {
		return inflight.Progress{}, err
	}
	if p.Store != nil {
		return p.store(body, messages)
	}
	if err := p.claim(messages); err != nil {
		return inflight.Progress{}, err
	}
	p.token.Publish()
	return p.await()
}

// release gives back everything that the request holds. The token owns the reservation after claim. After a panic the batch is
// withdrawn; after await that does nothing.
func (p *post) release() {
	switch {
	case p.token != nil:
		p.token.Withdraw()
	case p.reservation != nil:
		p.reservation.Release()
	}
	p.decodeSlot.Leave()
	if p.unpin != nil {
		p.unpin()
	}
	if p.requestSlot != nil {
		p.requestSlot.Release()
	}
}

// admit refuses a request before its body is read.
func (p *post) admit() (err error) {
	if p.leaving() && errors.Is(context.Cause(p.req.Context()), errStopping) { // shutdown_timeout is over
		return errStopping
	}
	signature, refusal := p.authenticator.Load().Check(p.req)
	if refusal != nil {
		return &authError{refusal}
	}
	p.signature = signature
	if p.format, err = p.parseFormat(p.req); err != nil {
		return err
	}
	if p.requestSlot, err = p.requests.Open(0); err != nil || p.requestSlot.Grow(requestWeight(p.req.Header)) != nil {
		return inflight.ErrFull
	}
	p.reservation, err = p.Admission.Open(p.req.ContentLength)
	return err
}

// requestWeight is the part of the in-flight limit that a request takes for its goroutine and its headers. Over HTTP/2 a sender
// can have many requests on one connection.
func requestWeight(header http.Header) (weight int64) {
	weight = 2 << 10
	for name, values := range header {
		for _, value := range values {
			weight += 8 + int64(len(name)+len(value))/8
		}
	}
	return weight
}

// pin keeps the connection open until the answer. It fails if the connection was displaced.
func (p *post) pin() error {
	unpin, ok := p.Connections.Complete(p.req.Context())
	if !ok {
		return errDisplaced
	}
	p.unpin, p.complete = unpin, time.Now()
	return nil
}

// answerChallenge ends a request that asks whether the address is the sender's own, as the preset of the source knows. It refuses
// other requests with the method of such a question.
func (p *post) answerChallenge(wire []byte) error {
	if p.preset != nil && p.preset.Challenge != nil {
		if answer, ok := p.preset.Challenge(p.req, wire, p.signature.Key()); ok {
			return &challenge{append(answer, '\n')}
		}
	}
	if p.req.Method != http.MethodPost {
		return errMethod
	}
	return nil
}

// within is the context of a step that may take until the timeout. It ends with cause then.
func (p *post) within(cause error) (context.Context, context.CancelFunc) {
	return context.WithDeadlineCause(p.req.Context(), p.complete.Add(p.Timeout), cause)
}

// decode turns the bytes from the wire into a body and its messages. It reserves their memory while it makes them.
func (p *post) decode(wire []byte) (body []byte, messages []batch.Message, err error) {
	ctx, cancel := p.within(errNotDecoded)
	defer cancel()
	if body, err = p.decompress(ctx, wire); err != nil {
		return nil, nil, err
	}
	if p.format.isForm {
		if body, err = payload(body); err != nil {
			return nil, nil, err
		}
	}
	// Wait for at most half of the timeout. The other half is for decoding and publishing: a 400 or a 504 says more than a 503.
	p.decodeSlot = p.gates.enter(ctx, p.complete.Add(p.Timeout/2), len(body))
	if ctx.Err() != nil { // batch.Decode checks every 32 KiB only
		return nil, nil, fmt.Errorf("waiting to be decoded: %w", context.Cause(ctx))
	}
	p.options = p.limits
	p.options.Identity.Given = p.given(p.req.Header)
	p.options.Lines, p.options.Charge = p.format.lines, p.reservation.Grow
	p.options.Interrupted = func() error { return context.Cause(ctx) }
	b, err := batch.Decode(body, p.options)
	if err != nil {
		return nil, nil, fmt.Errorf("decoding the body: %w", err)
	}
	p.counters.batches.Inc()
	p.counters.messages.Add(float64(len(b.Messages)))
	p.countInvalid(b.Messages)
	p.counters.asStrings.Add(float64(b.NumbersAsStrings))
	return body, b.Messages, nil
}

// countInvalid counts the messages that are kept although they are not valid.
func (p *post) countInvalid(messages []batch.Message) {
	if !p.options.KeepInvalid {
		return
	}
	p.invalid = new(0)
	for i := range messages {
		if failure := messages[i].Failure; failure != nil {
			p.counters.invalid.Inc(string(failure.Reason))
			*p.invalid++
		}
	}
}

// decompress undoes the content coding, and gives the reservation of the compressed bytes back.
func (p *post) decompress(ctx context.Context, wire []byte) ([]byte, error) {
	if p.format.coding == contentcoding.Identity {
		return wire, nil
	}
	body, err := p.decompressor.Decompress(ctx, p.format.coding, wire, int64(p.MaxBody), p.reservation.Grow)
	if err != nil {
		return nil, fmt.Errorf("decompressing the body: %w", err)
	}
	p.reservation.GiveBack(int64(len(wire)))
	return body, nil
}

// claim makes the token of the batch, and dedupes its messages.
func (p *post) claim(messages []batch.Message) error {
	origin, err := p.chargeOrigin(messages)
	if err != nil {
		return err
	}
	if p.token, err = p.Registry.Claim(messages, origin, p.reservation); err != nil {
		return err
	}
	p.token.Attach(p.decodeSlot)
	progress := p.token.Progress()
	p.counters.deduped(progress.DedupedInFlight, progress.DedupedDelivered)
	return nil
}

// await waits for the token, which withdraws the batch when it is not delivered in time or its sender is gone.
func (p *post) await() (inflight.Progress, error) {
	ctx, cancel := p.within(errAckTimeout)
	defer cancel()
	withdrawn, err := p.token.Await(ctx)
	p.counters.withdrawn.Add(float64(withdrawn))
	if err == nil {
		p.counters.ackDuration.Observe(time.Since(p.complete).Seconds())
	}
	return p.token.Progress(), err
}

// store writes the batch to the disk, instead of claim and await.
func (p *post) store(body []byte, messages []batch.Message) (inflight.Progress, error) {
	progress := inflight.Progress{Messages: len(messages)}
	origin, err := p.chargeOrigin(messages)
	if err != nil {
		return progress, err
	}
	record := diskqueue.Record{Header: diskqueue.Header{Origin: origin, Messages: len(messages)}, Body: body}
	record.SetFormat(p.options)
	var keys []batch.Key
	for i := range messages {
		record.Weight += int64(messages[i].Weight)
		if p.Dedupe {
			keys = append(keys, messages[i].Key)
		}
	}
	ctx, cancel := p.within(errAckTimeout)
	defer cancel()
	known, err := p.Store.Store(ctx, record, messages, keys)
	if err != nil {
		return progress, fmt.Errorf("%w: %w", errNotStored, err)
	}
	progress.DedupedDelivered = known
	p.counters.deduped(0, known)
	p.counters.ackDuration.Observe(time.Since(p.complete).Seconds())
	return progress, nil
}
