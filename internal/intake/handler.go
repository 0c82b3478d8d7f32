package intake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/clientip"
	"github.com/txn2/rtbeat/internal/contentcoding"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
)

// Causes for which a waiting request ends without an acknowledgement.
var (
	errAckTimeout = errors.New("not acknowledged within timeout")
	errStopping   = errors.New("stopping")
	errDisplaced  = errors.New("the connection had to make room for another one")
)

// handler serves POST /in.
type handler struct {
	requests       *inflight.Admission // what requests take beside their batches
	backlogs       backlogs
	admission      *inflight.Admission
	registry       *inflight.Registry
	metrics        Metrics
	draining       func() bool
	timeout        time.Duration
	readTimeout    time.Duration
	maxBody        int64
	limits         batch.Options
	decompressor   *contentcoding.Decompressor
	authenticator  atomic.Pointer[auth.Authenticator] // nil lets everybody in
	connections    Connections
	trusted        clientip.Trusted
	includeHeaders []string
	ack            Ack
	storage        Store // nil where batches are not stored
	dedupe         bool  // whether the store is told the keys of messages
}

// serve is the walk: admit, read, verify, decode, claim, publish, await; the caller replies. It returns delivered only when
// the output is done with every event of the batch, or the batch is empty.
func (h *handler) serve(w http.ResponseWriter, req *http.Request) result {
	received := time.Now().UTC()

	pass, refusal := h.admit(req)
	if refusal != nil {
		return *refusal
	}
	defer pass.place.Release()
	reservation := pass.reservation
	var token *inflight.BatchAck
	defer func() {
		if token == nil {
			reservation.Release()
			return
		}
		// The reservation is the token's now, until the output is done with the batch. After a panic nobody waits for
		// that batch, so what is not handed over must not be; otherwise there is nothing left to withdraw.
		token.Withdraw()
	}()
	wire, err := h.read(w, req, pass.place, reservation)
	if err != nil {
		return result{outcome: readOutcome(req.Context(), err), err: err}
	}
	if refused := pass.signature.Verify(wire); refused != nil {
		return h.unwelcome(refused)
	}
	complete, ok := h.connections.Complete(req.Context())
	if !ok {
		return result{outcome: clientGone, err: errDisplaced}
	}
	defer complete()
	start := time.Now() // of the wait: decoding a large body counts
	ctx, cancel := context.WithDeadlineCause(req.Context(), start.Add(h.timeout), errAckTimeout)
	defer cancel()
	body, err := h.decompress(ctx, pass.coding, wire, reservation)
	if err != nil {
		return h.refused(ctx, err)
	}
	// Half of the time is left then, so that the sender still hears what was in its batch and why it was not delivered.
	place := h.backlogs.enter(ctx, start.Add(h.timeout/2), len(body)) //nolint:mnd // half, as the line above says
	defer place.Leave()
	b, err := h.decode(ctx, pass, body)
	if err != nil {
		return h.refused(ctx, err)
	}
	h.metrics.Batch(len(b.Messages), b.NumbersAsStrings)
	if len(b.Messages) == 0 {
		return h.delivered(inflight.Progress{})
	}
	origin := inflight.Origin{Received: received, ClientIP: h.clientIP(req), Headers: h.headers(req), Trace: traceOf(req.Header[traceparent])}
	if err := weighOrigin(b.Messages, origin, reservation); err != nil {
		return result{outcome: readOutcome(req.Context(), err), err: err}
	}
	if h.storage != nil {
		record := diskqueue.Record{Header: diskqueue.Header{Origin: origin, Lines: pass.lines, Messages: len(b.Messages)}, Body: body}
		return h.store(ctx, record, b.Messages, start)
	}
	token, err = h.registry.Claim(b.Messages, origin, reservation)
	if err != nil {
		return h.unclaimed(err)
	}
	token.Occupies(place)
	known := token.Progress()
	h.metrics.Coalesced(known.InFlight, known.Delivered)
	token.Publish()
	return h.await(ctx, token, start)
}

// pass is what a request has that was let in.
type pass struct {
	form
	place       *inflight.Reservation // among the requests, until the answer
	reservation *inflight.Reservation // of what the batch takes
	signature   auth.Pending          // of the body, if that is how the sender says who it is
}

// admit lets a request in, or refuses it before its body is read.
func (h *handler) admit(req *http.Request) (pass, *result) {
	if h.draining() {
		return pass{}, &result{outcome: stopping}
	}
	signature, refused := h.authenticator.Load().Check(req)
	if refused != nil {
		res := h.unwelcome(refused)
		return pass{}, &res
	}
	form, refusal, isRefused := checkHeaders(req, h.maxBody)
	if isRefused {
		return pass{}, &result{outcome: refusal}
	}
	place, err := h.requests.Open(0)
	if err != nil || place.Grow(requestWeight(req.Header)) != nil {
		return pass{}, &result{outcome: inFlightLimit}
	}
	reservation, err := h.admission.Open(req.ContentLength)
	if err != nil {
		place.Release()
		return pass{}, &result{outcome: readOutcome(req.Context(), err)}
	}
	return pass{form, place, reservation, signature}, nil
}

// requestWeight is what a request takes beside its batch, its goroutine and its headers, in the measure of the batches: a
// small part of the memory. Over HTTP/2 a sender can have a hundred requests for the price of a connection.
func requestWeight(header http.Header) (weight int64) {
	weight = 2 << 10
	for name, values := range header {
		for _, value := range values {
			weight += 8 + int64(len(name)+len(value))/8
		}
	}
	return weight
}

// decode turns a body into messages. The memory that they take is reserved as it is made.
func (h *handler) decode(ctx context.Context, p pass, body []byte) (batch.Batch, error) {
	if ctx.Err() != nil { // batch.Decode looks every 32 KiB only
		return batch.Batch{}, fmt.Errorf("waiting to be decoded: %w", context.Cause(ctx))
	}
	limits := h.limits
	limits.Lines, limits.Charge = p.lines, p.reservation.Grow
	limits.Interrupted = func() error { return context.Cause(ctx) }
	b, err := batch.Decode(body, limits)
	if err != nil {
		return batch.Batch{}, fmt.Errorf("decoding the body: %w", err)
	}
	return b, nil
}

// unclaimed is how a batch ends that the registry does not take.
func (h *handler) unclaimed(err error) result {
	if stall, ok := errors.AsType[*inflight.StalledError](err); ok {
		return result{outcome: outputStalled, detail: detail{Age: seconds(stall.Age)}}
	}
	return result{outcome: stopping, err: err}
}

// await waits for the token, which withdraws the batch when it is not delivered in time or its sender is gone.
func (h *handler) await(ctx context.Context, token *inflight.BatchAck, start time.Time) result {
	withdrawn, err := token.Await(ctx)
	h.metrics.Withdrawn(withdrawn)
	p := token.Progress()
	if failure, ok := errors.AsType[*inflight.ProcessorError](err); ok {
		return result{outcome: processorFailed, err: err, detail: detail{Processor: failure.Processor}}
	}
	switch {
	case err == nil:
		h.metrics.Delivered(time.Since(start))
		return h.delivered(p)
	case errors.Is(err, errAckTimeout):
		return undelivered(ackTimeout, p)
	case errors.Is(err, inflight.ErrRejected):
		res := undelivered(outputRejected, p)
		res.detail.Rejected = &p.Rejected
		return res
	case errors.Is(err, inflight.ErrJoinedFiltered):
		return result{outcome: joinedFiltered, err: err}
	case errors.Is(err, context.Canceled):
		return result{outcome: clientGone, err: err}
	case errors.Is(err, inflight.ErrUnpublishable):
		return result{outcome: panicked, err: err}
	default: // dropped, withdrawn or sealed: all of them mean that the pipeline goes away
		return result{outcome: stopping, err: err}
	}
}

// undelivered is how a batch ends of which something may be delivered, and not all.
func undelivered(o outcome, p inflight.Progress) result {
	coalesced := p.Coalesced()
	return result{outcome: o, detail: detail{
		Messages:  &p.Messages,
		Coalesced: &coalesced,
		Filtered:  &p.Filtered,
		Acked:     &p.Acked,
	}}
}

// store answers as soon as the batch is on the disk.
func (h *handler) store(ctx context.Context, record diskqueue.Record, messages []batch.Message, start time.Time) result {
	var keys []batch.Key
	total := len(messages)
	for i := range messages {
		record.Weight += int64(messages[i].Weight)
		if h.dedupe {
			messages[i].StoredKey, _ = messages[i].Key()
			keys = append(keys, messages[i].StoredKey)
		}
	}
	known, err := h.storage.Store(ctx, record, messages, keys)
	p := inflight.Progress{Messages: total, Delivered: known}
	switch {
	case err == nil:
		h.metrics.Coalesced(0, known)
		h.metrics.Delivered(time.Since(start))
		return h.delivered(p)
	case errors.Is(err, errAckTimeout):
		return undelivered(ackTimeout, inflight.Progress{Messages: total})
	case errors.Is(err, diskqueue.ErrClosed), errors.Is(err, errStopping):
		return result{outcome: stopping, err: err}
	case errors.Is(err, context.Canceled):
		return result{outcome: clientGone, err: err}
	case errors.Is(err, diskqueue.ErrFull):
		return result{outcome: queueFull, err: err}
	default:
		return result{outcome: queueFailed, err: err}
	}
}

// delivered is the only maker of a 200 for a batch.
func (h *handler) delivered(p inflight.Progress) result {
	coalesced := p.Coalesced()
	return result{outcome: delivered, detail: detail{
		Ack:       h.ack,
		Messages:  &p.Messages,
		Coalesced: &coalesced,
		Filtered:  &p.Filtered,
	}}
}

// unwelcome is how a request ends that may not come in.
func (h *handler) unwelcome(r *auth.Refusal) result {
	h.metrics.Unwelcome(string(r.Detail))
	res := result{outcome: unauthorized, err: errors.New(string(r.Detail)), challenge: r.Challenge}
	if r.Status == http.StatusForbidden {
		res.outcome = forbidden
	}
	return res
}

// refused maps an error of decode. The text of the decoder holds nothing of the body, so the sender may see it.
func (h *handler) refused(ctx context.Context, err error) result {
	var decodeErr *batch.Error
	if !errors.As(err, &decodeErr) {
		res := result{outcome: readOutcome(ctx, err), err: err}
		if res.outcome == corruptEncoding {
			h.metrics.Undecodable(outcomes[corruptEncoding].reason)
		}
		return res
	}
	h.metrics.Undecodable(string(decodeErr.Reason))
	res := result{outcome: refusals[decodeErr.Reason], say: decodeErr.Error(), err: decodeErr, detail: detail{Offset: &decodeErr.Offset}}
	if decodeErr.Index >= 0 {
		res.detail.Index = &decodeErr.Index
	}
	return res
}
