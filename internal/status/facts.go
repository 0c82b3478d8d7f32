package status

import (
	"math"
	"time"
)

// facts takes what the verdict needs from the newest sample and from those of the last 30 seconds. The caller holds the
// lock.
func (r *recorder) facts(now time.Time) *facts {
	s := r.newest
	from := r.window.before(now, lately)
	f := &facts{
		now:       now,
		settings:  r.settings,
		known:     !math.IsNaN(s.values[stalled]) && !math.IsNaN(s.values[eventsInFlight]) && !math.IsNaN(s.values[acked]),
		phase:     r.words.phase,
		persisted: r.words.ackMode == persisted,

		stalled:    s.values[stalled] == 1,
		noAck:      seconds(s.values[noAckSeconds]),
		repeats:    orZero(s.values[windowRepeats]),
		bytes:      orZero(s.values[bytesInFlight]),
		bytesLimit: orZero(s.values[bytesLimit]),
		high:       s.values[inFlightHigh] == 1,
		events:     orZero(s.values[eventsInFlight]),
		received:   orZero(increase(from, s, receivedBatches)),
		acked:      orZero(increase(from, s, acked)),
		ackedRate:  orZero(rate(from, s, acked)),
		internal:   orZero(increase(from, s, dropped)),

		writeErrors:   orZero(increase(from, s, outputWriteErrors)),
		displaced:     orZero(increase(from, s, displaced)),
		outputDropped: orZero(increase(r.window.at(r.window.n-1), s, outputDropped)),
	}
	if expiry := s.values[certificateExpiry]; expiry > 0 {
		f.certificate = moment(expiry)
	}
	if f.persisted {
		f.disk = r.disk()
		if s.values[diskFailed] == 1 {
			f.queueFailed = 1
		}
		if s.values[diskFull] == 1 {
			f.queueFull = 1
		}
		if from != nil {
			f.retrying = min(orZero(from.values[diskRetrying]), orZero(s.values[diskRetrying]))
		}
	}
	r.countErrors(f, from, s)
	return f
}

// countErrors counts the answers since from.
func (r *recorder) countErrors(f *facts, from, to *sample) {
	if from == nil {
		return
	}
	most := 0.0
	for i, k := range r.kinds {
		n := to.errors[i] - from.errors[i]
		if n <= 0 || k.what != "answer" {
			continue
		}
		switch faultOf(k) {
		case byRtbeat:
			if k.reason == "queue_failed" {
				f.queueFailed += n
			} else {
				f.internal += n
			}
		case bySender:
			if k.code == codeClientGone {
				continue // it left, and was refused nothing
			}
			f.rejected += n
			if n > most {
				most, f.reason = n, k.reason
			}
		case byOutput:
			switch {
			case k.code == "504":
				f.timeouts += n
			case k.code == "502":
				f.givenUp += n
			case k.reason == "in_flight_limit":
				f.full += n
			case k.reason == "queue_full":
				f.queueFull += n
			}
		case nobody:
		}
	}
}

// codeClientGone is what a request counts as whose sender left before its answer.
const codeClientGone = "499"

// faultOf tells on whose side the cause of an error is.
func faultOf(k kind) fault {
	switch {
	case k.reason == "stopping" || k.reason == "starting" || k.reason == "joined_filtered":
		return nobody
	case k.code == "500" || k.reason == "queue_failed":
		return byRtbeat
	case k.code == "502" || k.code == "503" || k.code == "504":
		return byOutput
	default: // 4xx, and whoever did not prove who it is
		return bySender
	}
}

// orZero takes a number that is not known for none.
func orZero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

func seconds(v float64) time.Duration { return time.Duration(orZero(v) * float64(time.Second)) }

// moment is a Unix time; the zero time where there is none.
func moment(unix float64) time.Time {
	if !(unix > 0) { // nor NaN
		return time.Time{}
	}
	whole, fraction := math.Modf(unix)
	return time.Unix(int64(whole), int64(fraction*float64(time.Second))).UTC()
}
