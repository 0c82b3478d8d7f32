package intake

import (
	"errors"
	"net/http"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// result is how a request ended, with the parts of its answer and its log line.
type result struct {
	outcome outcome
	say     string // for the sender, after the outcome's phrase; never holds bytes of the request
	err     error  // for the log alone
	detail  detail

	source    *endpoint // that the request reached
	answer    []byte    // the whole body, instead of the one of the outcome; nil for that one
	phrase    string    // instead of the outcome's; empty for that one
	challenge []string  // WWW-Authenticate
	began     time.Time // start of the request; zero before its headers
}

// detail is the part of an answer that differs between requests. It holds numbers and fixed phrases, and no byte of the body.
type detail struct {
	Ack       Ack      `json:"ack,omitempty"`
	Messages  *int     `json:"messages,omitempty"`
	Coalesced *int     `json:"coalesced,omitempty"`
	Filtered  *int     `json:"filtered,omitempty"`
	Invalid   *int     `json:"invalid,omitempty"`
	Acked     *int     `json:"acked,omitempty"`
	Rejected  *int     `json:"rejected,omitempty"`
	Processor string   `json:"processor,omitempty"` // its name in the configuration
	Offset    *int64   `json:"offset,omitempty"`
	Index     *int     `json:"index,omitempty"`
	Setting   string   `json:"setting,omitempty"`     // the setting that decides
	Age       *float64 `json:"age_seconds,omitempty"` // of the state that is the reason
}

// seconds is a duration as answers say it, to a tenth.
func seconds(d time.Duration) *float64 { return new(d.Truncate(100 * time.Millisecond).Seconds()) }

// resultOf returns the result of a request from what serve returned. It counts refusals of credentials and of the decoder.
func (e *endpoint) resultOf(progress inflight.Progress, err error) result {
	if err == nil {
		return e.delivered(progress)
	}
	if asked, ok := errors.AsType[*challenge](err); ok {
		return result{outcome: challenged, answer: asked.answer}
	}
	if denied, ok := errors.AsType[*authError](err); ok {
		e.counters.authFailures.Inc(denied.Error())
		if denied.refusal.Status == http.StatusForbidden {
			return result{outcome: forbidden, err: err}
		}
		return result{outcome: unauthorized, err: err, challenge: denied.refusal.Challenge}
	}
	if invalid, ok := errors.AsType[*batch.Error](err); ok {
		e.counters.decodeFailures.Inc(string(invalid.Reason))
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
		e.counters.decodeFailures.Inc(outcomes[corruptEncoding].reason)
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

// refuseBody is the answer to a body that is no batch. The text of the decoder holds no byte of the body, so the sender may see it.
func refuseBody(e *batch.Error) result {
	res := result{outcome: bodyRefusals[e.Reason], say: e.Error(), err: e, detail: detail{Offset: &e.Offset}}
	if e.Index >= 0 {
		res.detail.Index = &e.Index
	}
	return res
}
