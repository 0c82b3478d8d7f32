package status

import (
	"math"
	"time"

	"github.com/txn2/rtbeat/internal/intake"
)

// facts are the reasons of a verdict: the newest sample, and counts of the last 30 seconds. A count that is not known is 0.
type facts struct {
	*sample
	settings  Settings
	persisted bool          // durable mode
	noAck     time.Duration // 0 while the output owes none
	received  float64       // batches
	acked     float64
	ackedRate float64

	full     float64 // 503 in_flight_limit
	timeouts float64 // 504
	givenUp  float64 // 502
	internal float64 // 500, and events that never entered the pipeline
	rejected float64 // 4xx
	reason   string  // the most frequent reason of a 4xx

	// Durable mode.
	durable     Durable
	queueFailed float64 // 503 queue_failed; sample.Disk.HasFailed tells of now
	queueFull   float64 // 503 queue_full; sample.Disk.IsFull tells of now
	retrying    Number  // batches, the least of now and of 30 seconds ago

	writeErrors   float64
	displaced     float64
	outputDropped float64 // in 15 minutes
}

// facts collects the reasons of a verdict from the samples of the last 30 seconds. The caller holds the lock.
func (r *recorder) facts() *facts {
	s, from := r.newest, r.before(lately)
	oldest := r.before(interval * points)
	f := &facts{
		sample: s, settings: r.settings, persisted: r.settings.Ack == persisted, noAck: seconds(s.Output.NoAckSeconds),
		received:      increase(from.ReceivedBatches, s.ReceivedBatches),
		acked:         increase(from.Acked, s.Acked),
		ackedRate:     orZero(rate(from, s, from.Acked, s.Acked)),
		internal:      increase(from.Retries.DroppedTotal, s.Retries.DroppedTotal),
		writeErrors:   orZero(Number(increase(from.Output.WriteErrorsTotal, s.Output.WriteErrorsTotal))),
		displaced:     increase(from.Displaced, s.Displaced),
		outputDropped: orZero(Number(increase(oldest.Output.DroppedTotal, s.Output.DroppedTotal))),
	}
	if f.persisted {
		f.durable = *r.disk()
		if from != s {
			f.retrying = min(from.Disk.Retrying, s.Disk.Retrying)
		}
	}
	r.countErrors(f, from, s)
	return f
}

// countErrors counts the answers since from.
func (r *recorder) countErrors(f *facts, from, to *sample) {
	most := 0.0
	for i, k := range r.failures {
		n := to.failures[i] - from.failures[i]
		if n <= 0 || k.Code == "" {
			continue
		}
		switch k.Reason {
		case intake.ReasonClientGone: // rtbeat refused nothing
		case intake.ReasonAckTimeout:
			f.timeouts += n
		case intake.ReasonOutputRejected:
			f.givenUp += n
		case intake.ReasonInFlightLimit:
			f.full += n
		case intake.ReasonQueueFull:
			f.queueFull += n
		case intake.ReasonQueueFailed:
			f.queueFailed += n
		default:
			switch k.Fault { //nolint:exhaustive // the others make no verdict
			case intake.ByRtbeat:
				f.internal += n
			case intake.BySender:
				f.rejected += n
				if n > most {
					most, f.reason = n, k.Reason
				}
			}
		}
	}
}

// orZero returns 0 for a number that is not known.
func orZero(v Number) float64 {
	if math.IsNaN(float64(v)) {
		return 0
	}
	return float64(v)
}

func seconds(v Number) time.Duration { return time.Duration(orZero(v) * float64(time.Second)) }

// moment returns a Unix time, or the zero time if there is none.
func moment(unix Number) time.Time {
	if !(unix > 0) { // nor NaN
		return time.Time{}
	}
	whole, fraction := math.Modf(float64(unix))
	return time.Unix(int64(whole), int64(fraction*float64(time.Second))).UTC()
}
