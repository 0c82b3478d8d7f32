package intake

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/metrics"
)

// Counts are the values of the server's counters, for the status page.
type Counts struct {
	Bytes, Batches, Messages, Requests           float64
	DedupedInFlight, DedupedDelivered, Withdrawn float64
	Failures                                     []Failure // of all sources, always in the same order
	Sources                                      []SourceCounts
	AckDurations                                 []uint64 // cumulative, by AckBounds; the last one counts all
}

// SourceCounts are the numbers of one source.
type SourceCounts struct {
	Name, Path                 string
	Answers, Refused, Messages float64  // Refused are the answers that were no 200
	LastProblem                *Problem // nil before the first
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
		Bytes:   c.sum(func(s *sourceCounters) prometheus.Counter { return s.bytes }),
		Batches: c.batches(), Messages: c.messages(), Requests: metrics.Value(c.requests),
		DedupedInFlight:  c.sum(func(s *sourceCounters) prometheus.Counter { return s.dedupedInFlight }),
		DedupedDelivered: c.sum(func(s *sourceCounters) prometheus.Counter { return s.dedupedDelivered }),
		Withdrawn:        metrics.Value(c.withdrawn),
		AckDurations:     metrics.Buckets(c.ackDuration),
	}
	for o := range outcome(len(outcomes)) {
		if row := outcomes[o]; !o.health() && row.word != ok {
			counts.Failures = append(counts.Failures, Failure{"answer", strconv.Itoa(row.status), row.reason, o.fault(), c.answered(o)})
		}
	}
	for _, reason := range auth.Details() {
		total := c.sum(func(s *sourceCounters) prometheus.Counter { return s.authFailures[reason] })
		counts.Failures = append(counts.Failures, Failure{"auth", "", reason, BySender, total})
	}
	for _, reason := range handshakeReasons {
		counts.Failures = append(counts.Failures, Failure{"tls", "", reason, BySender, metrics.Value(c.handshakeFailures[reason])})
	}
	for _, e := range s.endpoints {
		counts.Sources = append(counts.Sources, e.counts())
	}
	return counts
}

// answered is how often rtbeat answered so, with a source or without.
func (c *counters) answered(o outcome) (total float64) {
	for _, s := range c.sources {
		if s.answers[o] != nil {
			total += metrics.Value(s.answers[o])
		}
	}
	return total
}

func (e *endpoint) counts() SourceCounts {
	counts := SourceCounts{Name: e.source.Name, Path: e.source.Path, Messages: metrics.Value(e.counters.messages), LastProblem: e.lastProblem.Load()}
	for o, answers := range &e.counters.answers {
		if answers == nil {
			continue
		}
		n := metrics.Value(answers)
		counts.Answers += n
		if outcomes[o].word != ok {
			counts.Refused += n
		}
	}
	return counts
}
