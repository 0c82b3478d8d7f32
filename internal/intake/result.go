package intake

import (
	"context"
	"errors"
	"net/http"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/contentcoding"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
)

// Errors of the steps. The packages that they call have more.
var (
	errAckTimeout    = errors.New("not acknowledged within timeout")
	errNotDecoded    = errors.New("not decoded within timeout")
	errStopping      = errors.New("stopping")
	errDisplaced     = errors.New("the connection was closed for another one (max_connections)")
	errBodyTooLarge  = errors.New("the body is larger than max_body_bytes")
	errBodyTimeout   = errors.New("the body was not complete within read_timeout")
	errBodyTruncated = errors.New("the body was cut off")
	errBadTrailer    = errors.New("malformed trailer after the body")
	errType          = errors.New("unsupported content type")
	errNotStored     = errors.New("storing the batch")
)

// refusals lists the errors of the steps and their answers. The first row that matches counts.
var refusals = [...]struct {
	err     error
	outcome outcome
}{
	{errStopping, stopping},
	{errDisplaced, clientGone},
	{errType, unsupportedType},
	{contentcoding.ErrUnsupported, unsupportedEncoding},
	{contentcoding.ErrCorrupt, corruptEncoding},
	{contentcoding.ErrTooLarge, bodyTooLarge},
	{errBodyTooLarge, bodyTooLarge},
	{errBodyTimeout, bodyTimeout},
	{errBodyTruncated, bodyTruncated},
	{errBadTrailer, bodyTruncated},
	{errNotDecoded, inFlightLimit},
	{inflight.ErrFull, inFlightLimit},
	{inflight.ErrTooLarge, batchTooLarge},
	{errAckTimeout, ackTimeout},
	{inflight.ErrRejected, outputRejected},
	{inflight.ErrJoinedFiltered, joinedFiltered},
	{inflight.ErrUnpublishable, panicked},
	{inflight.ErrDropped, stopping},   // the pipeline is closing
	{inflight.ErrWithdrawn, stopping}, // the queue is closed
	{inflight.ErrSealed, stopping},
	{diskqueue.ErrClosed, stopping},
	{diskqueue.ErrFull, queueFull},
	{context.Canceled, clientGone},
	{errNotStored, queueFailed},
}

// outcomeOf is panicked for an error without a row.
func outcomeOf(err error) outcome {
	for _, row := range &refusals {
		if errors.Is(err, row.err) {
			return row.outcome
		}
	}
	return panicked
}

// authError is the error of a request with wrong credentials.
type authError struct{ refusal *auth.Refusal }

func (e *authError) Error() string { return e.refusal.Detail }

// answer turns the results of serve into the answer. It counts refusals of credentials and of the decoder.
func (h *handler) answer(progress inflight.Progress, err error) result {
	if err == nil {
		return h.delivered(progress)
	}
	if denied, ok := errors.AsType[*authError](err); ok {
		h.counters.authFailures.Inc(denied.Error())
		if denied.refusal.Status == http.StatusForbidden {
			return result{outcome: forbidden, err: err}
		}
		return result{outcome: unauthorized, err: err, challenge: denied.refusal.Challenge}
	}
	if invalid, ok := errors.AsType[*batch.Error](err); ok {
		h.counters.decodeFailures.Inc(string(invalid.Reason))
		return refuseBody(invalid)
	}
	if stall, ok := errors.AsType[*inflight.StalledError](err); ok {
		return result{outcome: outputStalled, err: err, detail: detail{Age: seconds(stall.Age)}}
	}
	if failure, ok := errors.AsType[*inflight.ProcessorError](err); ok {
		return result{outcome: processorFailed, err: err, detail: detail{Processor: failure.Processor}}
	}
	res := result{outcome: outcomeOf(err), err: err}
	switch res.outcome { //nolint:exhaustive // the others have no details
	case corruptEncoding:
		h.counters.decodeFailures.Inc(outcomes[corruptEncoding].reason)
	case ackTimeout:
		res.detail = partly(progress)
	case outputRejected:
		res.detail = partly(progress)
		res.detail.Rejected = &progress.Rejected
	}
	return res
}

// delivered returns the result of a delivered batch. Nothing else makes a 200 for a batch.
func (h *handler) delivered(p inflight.Progress) result {
	d := partly(p)
	d.Ack, d.Acked = h.Ack, nil
	return result{outcome: delivered, detail: d}
}

// partly is the detail of a batch that may be delivered in part.
func partly(p inflight.Progress) detail {
	return detail{Messages: &p.Messages, Coalesced: new(p.Deduped()), Filtered: &p.Filtered, Acked: &p.Acked}
}

// bodyRefusals has the outcome of each reason of the decoder.
var bodyRefusals = map[batch.Reason]outcome{
	batch.EmptyBody:     emptyBody,
	batch.MalformedJSON: malformedJSON,
	batch.TooDeep:       tooDeep,
	batch.KeyTooLong:    keyTooLong,
	batch.StringTooLong: stringTooLong,
	batch.WrongShape:    wrongShape,
	batch.SizeMismatch:  sizeMismatch,

	batch.TooManyMessages: tooManyMessages,
}

// refuseBody is the answer to a body that is no batch. The text of the decoder holds no byte of the body, so the sender may see it.
func refuseBody(e *batch.Error) result {
	res := result{outcome: bodyRefusals[e.Reason], say: e.Error(), err: e, detail: detail{Offset: &e.Offset}}
	if e.Index >= 0 {
		res.detail.Index = &e.Index
	}
	return res
}
