package intake

import (
	"net/http"
	"strconv"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/metrics"
)

// Counts are the values of the server's counters, for the status page.
type Counts struct {
	Bytes, Batches, Messages, Requests           float64
	DedupedInFlight, DedupedDelivered, Withdrawn float64
	Failures                                     []Failure // always in the same order
	AckDurations                                 []uint64  // cumulative, by AckBounds; the last one counts all
}

// Failure counts an answer that was no 200, refused credentials by reason, or handshakes that failed by reason.
type Failure struct {
	What, Code, Reason string // What is answer, auth or tls; only an answer has a Code
	Fault              Fault
	Total              float64
}

// Fault is the side that causes a failure.
type Fault string

// Every fault. A failure by nobody needs no remedy.
const (
	Nobody   Fault = "nobody"
	BySender Fault = "sender"
	ByRtbeat Fault = "rtbeat"
	ByOutput Fault = "output"
)

// Reasons of the answers that the status page tells apart.
const (
	ReasonAckTimeout     = "ack_timeout"
	ReasonOutputRejected = "output_rejected"
	ReasonInFlightLimit  = "in_flight_limit"
	ReasonQueueFull      = "queue_full"
	ReasonQueueFailed    = "queue_failed"
	ReasonClientGone     = "client_gone"
)

// fault returns the side that causes an outcome other than a success.
func (o outcome) fault() Fault {
	switch {
	case o == stopping || o == joinedFiltered:
		return Nobody
	case o == queueFailed || outcomes[o].status == http.StatusInternalServerError:
		return ByRtbeat
	case outcomes[o].status > http.StatusInternalServerError:
		return ByOutput
	default:
		return BySender
	}
}

// Counts returns the values of the counters. It may be called from any goroutine.
func (s *Server) Counts() Counts {
	c := s.handler.counters
	counts := Counts{
		Bytes: metrics.Value(c.bytes), Batches: metrics.Value(c.batches), Messages: metrics.Value(c.messages), Requests: metrics.Value(c.requests),
		DedupedInFlight: metrics.Value(c.dedupedInFlight), DedupedDelivered: metrics.Value(c.dedupedDelivered), Withdrawn: metrics.Value(c.withdrawn),
		AckDurations: metrics.Buckets(c.ackDuration),
	}
	for i, answered := range &c.answers {
		if o := outcomes[i]; answered != nil && o.word != ok {
			counts.Failures = append(counts.Failures, Failure{"answer", strconv.Itoa(o.status), o.reason, outcome(i).fault(), metrics.Value(answered)})
		}
	}
	for _, reason := range auth.Details() {
		counts.Failures = append(counts.Failures, Failure{"auth", "", reason, BySender, metrics.Value(c.authFailures[reason])})
	}
	for _, reason := range handshakeReasons {
		counts.Failures = append(counts.Failures, Failure{"tls", "", reason, BySender, metrics.Value(c.handshakeFailures[reason])})
	}
	return counts
}
