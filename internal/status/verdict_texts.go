package status

import (
	"fmt"

	"github.com/txn2/rtbeat/internal/intake"
)

func (f *facts) stoppingVerdict() Verdict {
	v := Verdict{State: stopping, Level: warn, Title: "Stopping", Text: "Nothing is in flight any more."}
	if f.InFlight.Events.Value > 0 {
		v.Text = counted(f.InFlight.Events.Value, "event waits", "events wait") + " for an acknowledgement. Senders can use another instance, or retry later."
	}
	return v
}

func (f *facts) stalledVerdict() Verdict {
	return Verdict{
		State: stalling, Level: bad, Fault: intake.ByOutput, Title: "Stalled", Since: f.at.Add(-f.noAck),
		Text: fmt.Sprintf("The output has acknowledged nothing for %s, although it has %s. New batches are refused (503 output_stalled).",
			about(f.noAck), counted(f.InFlight.Events.Value, "event", "events")),
		Advice: []string{
			"See whether " + f.receiver() + " is up, and whether something blocks it: an output of its own that hangs, a full queue, a full disk.",
			"If " + f.receiver() + " is well, look for the output in rtbeat's log: a refused connection, a name that does not resolve, a certificate.",
			"Senders keep their batches and send them again. The first acknowledgement ends the stall; rtbeat needs no restart.",
		},
	}
}

func (f *facts) refusingVerdict() Verdict {
	awaited, fault := f.awaited()
	limit := "of rtbeat.max_in_flight_bytes (" + f.share() + " now)"
	if f.persisted { // the shipper may use the other half, so share does not show what waits for the disk
		limit = "of half of rtbeat.max_in_flight_bytes"
	}
	return Verdict{
		State: refusing, Level: bad, Fault: fault, Title: "Refusing",
		Text: fmt.Sprintf("%s refused in the last 30 s, because batches that wait for %s have reached the limit %s.",
			counted(f.full, "batch was", "batches were"), awaited, limit),
		Advice: []string{
			"Senders are faster than " + awaited + ": see whether it is slower than usual, or more is sent than usual.",
			"Senders keep their batches and send them again. Raise rtbeat.max_in_flight_bytes for short peaks only, and only where there is memory for it.",
		},
	}
}

func (f *facts) nearlyFullVerdict() Verdict {
	awaited, fault := f.awaited()
	waiting := f.share() + " of rtbeat.max_in_flight_bytes waits"
	if f.persisted { // IsHigh ends at three quarters of the half
		waiting = "More than three quarters of the limit, which is half of rtbeat.max_in_flight_bytes, wait"
	}
	return Verdict{
		State: nearlyFull, Level: warn, Fault: fault, Title: "Nearly full",
		Text:   fmt.Sprintf("%s for %s. At the limit, new batches are refused.", waiting, awaited),
		Advice: []string{"Senders are faster than " + awaited + ": see whether it is slower than usual, or more is sent than usual."},
	}
}

func (f *facts) slowVerdict() Verdict {
	v := Verdict{State: slow, Level: warn, Fault: intake.ByOutput, Title: "Slow"}
	switch {
	case f.persisted && f.timeouts > 0:
		v.Fault = intake.ByRtbeat
		v.Text = fmt.Sprintf("%s not on the disk within %s (504) in the last 30 s.", counted(f.timeouts, "batch was", "batches were"), f.settings.Timeout)
		v.Advice = []string{"See whether the disk of rtbeat.durable.path is slow, or busy with something else. Senders keep these batches and send them again."}
		return v
	case f.persisted:
		v.Text = fmt.Sprintf("The output has acknowledged nothing for %s. Batches are stored, and answered 200.", about(f.noAck))
		v.Advice = []string{"See whether " + f.receiver() + " is up, and slower than usual: its pipeline, and its own outputs."}
		return v
	case f.noAck > f.settings.Timeout:
		v.Text = fmt.Sprintf("The output has acknowledged nothing for %s, and senders get 504 after %s.", about(f.noAck), f.settings.Timeout)
	default:
		v.Text = fmt.Sprintf("%s not acknowledged within %s (504) in the last 30 s. The output takes longer.",
			counted(f.timeouts, "batch was", "batches were"), f.settings.Timeout)
	}
	v.Advice = []string{
		"See whether " + f.receiver() + " is slower than usual: its pipeline, and its own outputs.",
		"Senders keep these batches and send them again. Messages that the output already has are not published twice.",
	}
	return v
}
