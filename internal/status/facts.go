package status

import (
	"math"
	"time"
)

// facts are the reasons of a verdict. Counts are of the last 30 seconds; a count that is not known is 0.
type facts struct {
	now       time.Time
	settings  Settings
	phase     string
	persisted bool // durable mode

	stalled           bool
	noAck             time.Duration // 0 while the output owes none
	repeats           float64       // of a window that the output sends again
	bytes, bytesLimit float64
	high              bool // bytes are near their limit, as /readyz has it
	events            float64
	received          float64 // batches
	acked             float64
	ackedRate         float64

	full     float64 // 503 in_flight_limit
	timeouts float64 // 504
	givenUp  float64 // 502
	internal float64 // 500, and events that never entered the pipeline
	rejected float64 // 4xx
	reason   string  // the most frequent one of them

	disk        Durable // in durable mode alone, as the next three
	queueFailed float64 // 503 queue_failed, and whether it is so now
	queueFull   float64 // 503 queue_full, and whether it is so now
	retrying    float64 // batches, the least of now and of 30 seconds ago

	writeErrors   float64
	displaced     float64
	outputDropped float64 // in 15 minutes
	certificate   time.Time
}

// facts collects the reasons of a verdict from the newest sample and those of the last 30 seconds. The caller holds the lock.
func (r *recorder) facts(now time.Time) *facts {
	s, from := r.newest, r.before(lately)
	oldest := r.before(interval * points)
	f := &facts{
		now:       now,
		settings:  r.settings,
		phase:     s.Phase,
		persisted: r.settings.Ack == persisted,

		stalled:    s.IsStalled,
		noAck:      seconds(s.NoAckSeconds),
		repeats:    float64(s.WindowRepeats),
		bytes:      float64(s.Bytes.Value),
		bytesLimit: float64(s.Bytes.Limit),
		high:       s.IsHigh,
		events:     float64(s.Events.Value),
		received:   increase(from.ReceivedBatches, s.ReceivedBatches),
		acked:      increase(from.Acked, s.Acked),
		ackedRate:  orZero(rate(from, s, from.Acked, s.Acked)),
		internal:   increase(from.Dropped, s.Dropped),

		writeErrors:   orZero(Number(increase(from.Libbeat.WriteErrors, s.Libbeat.WriteErrors))),
		displaced:     increase(from.Displaced, s.Displaced),
		outputDropped: orZero(Number(increase(oldest.Libbeat.Dropped, s.Libbeat.Dropped))),
		certificate:   moment(s.CertificateExpiry),
	}
	if f.persisted {
		f.disk = r.disk()
		if s.Disk.HasFailed {
			f.queueFailed = 1
		}
		if s.Disk.IsFull {
			f.queueFull = 1
		}
		if from != s {
			f.retrying = float64(min(from.Disk.Retrying, s.Disk.Retrying))
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
		if n <= 0 || k.What != "answer" {
			continue
		}
		switch faultOf(k) {
		case byRtbeat:
			if k.Reason == "queue_failed" {
				f.queueFailed += n
			} else {
				f.internal += n
			}
		case bySender:
			if k.Code == codeClientGone {
				continue // it left, and was refused nothing
			}
			f.rejected += n
			if n > most {
				most, f.reason = n, k.Reason
			}
		case byOutput:
			switch {
			case k.Code == "504":
				f.timeouts += n
			case k.Code == "502":
				f.givenUp += n
			case k.Reason == "in_flight_limit":
				f.full += n
			case k.Reason == "queue_full":
				f.queueFull += n
			}
		case nobody:
		}
	}
}

// codeClientGone is the code of a request whose sender left before its answer.
const codeClientGone = "499"

// faultOf tells on whose side the cause of an error is.
func faultOf(k Failure) fault {
	switch {
	case k.Reason == "stopping" || k.Reason == "starting" || k.Reason == "joined_filtered":
		return nobody
	case k.Code == "500" || k.Reason == "queue_failed":
		return byRtbeat
	case k.Code == "502" || k.Code == "503" || k.Code == "504":
		return byOutput
	default: // 4xx, failed authentication, failed handshakes
		return bySender
	}
}

// orZero is 0 for a number that is not known.
func orZero(v Number) float64 {
	if math.IsNaN(float64(v)) {
		return 0
	}
	return float64(v)
}

func seconds(v Number) time.Duration { return time.Duration(orZero(v) * float64(time.Second)) }

// moment is a Unix time; the zero time where there is none.
func moment(unix Number) time.Time {
	if !(unix > 0) { // nor NaN
		return time.Time{}
	}
	whole, fraction := math.Modf(float64(unix))
	return time.Unix(int64(whole), int64(fraction*float64(time.Second))).UTC()
}
