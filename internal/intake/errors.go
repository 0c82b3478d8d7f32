package intake

import (
	"context"
	"errors"

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
	errMethod        = errors.New("a method for challenges only")
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
	{errMethod, methodNotAllowed},
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

// outcomeOf is panicked for an error without a row.
func outcomeOf(err error) outcome {
	for _, row := range &refusals {
		if errors.Is(err, row.err) {
			return row.outcome
		}
	}
	return panicked
}

// challenge ends a request that is a challenge of its sender. answer is the body of the answer.
type challenge struct{ answer []byte }

func (*challenge) Error() string { return "a challenge of the sender" }

// authError is the error of a request with wrong credentials.
type authError struct{ refusal *auth.Refusal }

func (e *authError) Error() string { return e.refusal.Detail }
