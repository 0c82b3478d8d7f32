package intake

import (
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
	Total              float64
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
			counts.Failures = append(counts.Failures, Failure{"answer", strconv.Itoa(o.status), o.reason, metrics.Value(answered)})
		}
	}
	for _, reason := range auth.Details() {
		counts.Failures = append(counts.Failures, Failure{"auth", "", reason, metrics.Value(c.authFailures[reason])})
	}
	for _, reason := range handshakeReasons {
		counts.Failures = append(counts.Failures, Failure{"tls", "", reason, metrics.Value(c.handshakeFailures[reason])})
	}
	return counts
}
