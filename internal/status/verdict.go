package status

import (
	"fmt"
	"time"

	"github.com/txn2/rtbeat/internal/intake"
)

// state is the short name of a verdict.
type state string

const (
	starting    state = "starting"
	delivering  state = "delivering"
	idle        state = "idle"
	slow        state = "slow"
	nearlyFull  state = "nearly_full"
	rejecting   state = "rejecting"
	refusing    state = "refusing"
	stalling    state = "stalled"
	degraded    state = "degraded"
	fullQueue   state = "queue_full"
	failedQueue state = "queue_failed"
	retrying    state = "retrying"
	failing     state = "failing"
	givingUp    state = "giving_up"
	stopping    state = "stopping"
)

// level is the severity of a verdict.
type level string

const (
	ok   level = "ok"
	warn level = "warn"
	bad  level = "bad"
)

// Verdict answers an operator at night: does rtbeat deliver; if not, since when; which side causes it; what to do. Its texts are
// fixed, except for numbers and names of rtbeat's own.
type Verdict struct {
	State  state        `json:"state"`
	Level  level        `json:"level"`
	Fault  intake.Fault `json:"fault"`
	Since  time.Time    `json:"since"`
	Title  string       `json:"title"`
	Text   string       `json:"text"`
	Advice []string     `json:"advice"`
	Notes  []string     `json:"notes"` // further facts
}

// verdict returns the verdict, complete with notes and advice.
func (f *facts) verdict() Verdict {
	v := f.chooseVerdict()
	if v.Fault == "" {
		v.Fault = intake.Nobody
	}
	v.Notes = f.notes(v.State)
	if f.WindowRepeats >= repeatsToTell && v.Fault == intake.ByOutput {
		v.Advice = append([]string{
			"Look for a JSON error in the log of " + f.receiver() + ": one event may be unreadable for it. rtbeat's log has the uuids of the window (\"the same window\"), and docs/runbooks.md has the next steps.",
		}, v.Advice...)
	}
	if v.Advice == nil {
		v.Advice = []string{}
	}
	return v
}

// chooseVerdict returns the first verdict that holds, in the order of their weight.
func (f *facts) chooseVerdict() Verdict {
	switch {
	case f.Phase == "leaving" || f.Phase == "draining":
		return f.stoppingVerdict()
	case f.Phase == "starting":
		return Verdict{State: starting, Level: warn, Title: "Starting", Text: "rtbeat does not serve yet."}
	case f.queueFailed > 0 || f.Disk.HasFailed:
		return f.queueFailedVerdict()
	case f.queueFull > 0 || f.Disk.IsFull:
		return f.queueFullVerdict()
	case f.Output.Stalled && f.persisted:
		return f.degradedVerdict()
	case f.Output.Stalled:
		return f.stalledVerdict()
	case f.full > 0:
		return f.refusingVerdict()
	case f.internal > 0:
		return Verdict{
			State: failing, Level: bad, Fault: intake.ByRtbeat, Title: "Failing",
			Text: fmt.Sprintf("%s failed inside rtbeat in the last 30 s, and will be retried.", counted(f.internal, "batch", "batches")),
			Advice: []string{
				"Look for \"processor\" and \"panic\" in rtbeat's log: a processor that fails on a sender's messages, or a defect in rtbeat.",
			},
		}
	case f.givenUp > 0:
		return Verdict{
			State: givingUp, Level: bad, Fault: intake.ByOutput, Title: "Giving up",
			Text: fmt.Sprintf("The output gave up events of %s in the last 30 s (502 output_rejected). Their senders keep them, and send them again.",
				counted(f.givenUp, "batch", "batches")),
			Advice: []string{
				"rtbeat's log has the output's reason: a mapping, an authorization, a limit, a full disk. Mend the cause, and the next attempt is delivered.",
				"If a message can never be stored, its sender is stuck behind it: docs/outputs.md says what to do.",
			},
		}
	case f.timeouts > 0 || f.noAck > f.settings.Timeout:
		return f.slowVerdict()
	case f.retrying > 0:
		return f.retryingVerdict()
	case f.IsHigh:
		return f.nearlyFullVerdict()
	case f.acked > 0:
		return Verdict{State: delivering, Level: ok, Title: "Delivering", Text: rateOf(f.ackedRate) + " acknowledged by the output, over the last 30 s."}
	case f.InFlight.Events.Value > 0 || f.noAck > 0:
		return Verdict{
			State: delivering, Level: ok, Title: "Delivering",
			Text: counted(f.InFlight.Events.Value, "event is", "events are") + " on the way to the output.",
		}
	case f.received > 0:
		return Verdict{
			State: delivering, Level: ok, Title: "Delivering",
			Text: counted(f.received, "batch", "batches") + " came in the last 30 s with nothing to deliver: delivered before, filtered by processors, or the sender had left.",
		}
	case f.rejected > 0:
		return Verdict{
			State: rejecting, Level: warn, Fault: intake.BySender, Title: "Rejecting",
			Text: fmt.Sprintf("Nothing was delivered in the last 30 s, and %s refused: %s.", counted(f.rejected, "request was", "requests were"), f.reason),
			Advice: []string{
				"The sender has to change what it sends, or its credentials. The errors below have the reasons, and docs/operations.md explains each.",
			},
		}
	default:
		return Verdict{
			State: idle, Level: ok, Title: "Idle",
			Text: "Nothing is in flight, and nothing came in the last 30 s. Whether " + f.receiver() + " works shows with the next batch.",
			Advice: []string{
				"If there should be traffic, see whether senders reach this machine: connections, below.",
			},
		}
	}
}
