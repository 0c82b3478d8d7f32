package intake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// Causes for which a waiting request ends without an acknowledgement.
var (
	errAckTimeout = errors.New("not acknowledged within timeout")
	errStopping   = errors.New("stopping")
)

// handler serves POST /in.
type handler struct {
	admission   *inflight.Admission
	registry    *inflight.Registry
	metrics     Metrics
	draining    func() bool
	timeout     time.Duration
	readTimeout time.Duration
	maxBody     int64
	ack         Ack
	fits        func(fields map[string]any) error
}

// serve is the walk: admit, read, decode, claim, publish, await; the caller replies. It returns delivered only when
// the output is done with every event of the batch, or the batch is empty.
func (h *handler) serve(w http.ResponseWriter, req *http.Request) result {
	received := time.Now().UTC()

	reservation, refusal := h.admit(req)
	if reservation == nil {
		return result{outcome: refusal}
	}
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
	body, err := h.read(w, req, reservation)
	if err != nil {
		return result{outcome: readOutcome(req.Context(), err), err: err}
	}
	start := time.Now() // of the wait: decoding a large body counts
	b, err := batch.Decode(body)
	if err != nil {
		return refused(err)
	}
	if refusal := h.allFit(b.Messages); refusal != nil {
		return *refusal
	}
	h.metrics.Batch(len(b.Messages), b.NumbersAsStrings)
	if len(b.Messages) == 0 {
		return h.delivered(inflight.Progress{})
	}
	token, err = h.registry.Claim(b.Messages, inflight.Origin{Received: received, ClientIP: clientIP(req)}, reservation)
	if err != nil {
		return h.unclaimed(err)
	}
	known := token.Progress()
	h.metrics.Coalesced(known.InFlight, known.Delivered)
	token.Publish()
	return h.await(req.Context(), token, start)
}

// admit opens a reservation, or refuses before the body is read: then the reservation is nil.
func (h *handler) admit(req *http.Request) (reservation *inflight.Reservation, refusal outcome) {
	if h.draining() {
		return nil, stopping
	}
	if refusal, refused := checkHeaders(req, h.maxBody); refused {
		return nil, refusal
	}
	reservation, err := h.admission.Open(req.ContentLength)
	if err != nil {
		return nil, inFlightLimit
	}
	return reservation, 0
}

// allFit refuses a batch with a message that the queue cannot carry.
func (h *handler) allFit(messages []batch.Message) (refusal *result) {
	if h.fits == nil {
		return nil
	}
	for i := range messages {
		if err := h.fits(messages[i].Fields); err != nil {
			return &result{outcome: notPersistable, say: fmt.Sprintf("message %d: %v", i, err), err: err, detail: detail{Index: &i}}
		}
	}
	return nil
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
	ctx, cancel := context.WithDeadlineCause(ctx, start.Add(h.timeout), errAckTimeout)
	defer cancel()
	withdrawn, err := token.Await(ctx)
	h.metrics.Withdrawn(withdrawn)
	p := token.Progress()
	switch {
	case err == nil:
		h.metrics.Delivered(time.Since(start))
		return h.delivered(p)
	case errors.Is(err, errAckTimeout):
		coalesced := p.Coalesced()
		return result{outcome: ackTimeout, detail: detail{Messages: &p.Messages, Coalesced: &coalesced, Filtered: &p.Filtered, Acked: &p.Acked}}
	case errors.Is(err, context.Canceled):
		return result{outcome: clientGone, err: err}
	case errors.Is(err, inflight.ErrUnpublishable):
		return result{outcome: panicked, err: err}
	default: // dropped, withdrawn or sealed: all of them mean that the pipeline goes away
		return result{outcome: stopping, err: err}
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

// refused maps an error of the decoder. Its text holds nothing of the body, so the sender may see it.
func refused(err error) result {
	var decodeErr *batch.Error
	if !errors.As(err, &decodeErr) {
		return result{outcome: panicked, err: err}
	}
	res := result{outcome: refusals[decodeErr.Reason], say: decodeErr.Error(), err: err, detail: detail{Offset: &decodeErr.Offset}}
	if decodeErr.Index >= 0 {
		res.detail.Index = &decodeErr.Index
	}
	return res
}
