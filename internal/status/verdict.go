package status

import (
	"fmt"
	"time"
)

// state is the verdict in a word.
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

// level is how much of a trouble a verdict is: ok, warn or bad.
type level string

const (
	ok   level = "ok"
	warn level = "warn"
	bad  level = "bad"
)

// fault is on whose side the cause of a verdict is.
type fault string

const (
	nobody   fault = "nobody"
	bySender fault = "sender"
	byRtbeat fault = "rtbeat"
	byOutput fault = "output"
)

// Verdict answers what somebody asks who is called at night: is it delivering; if not, since when; on whose side is the
// cause; what to do. All of its text is fixed but for numbers and words of rtbeat's own.
type Verdict struct {
	State  state     `json:"state"`
	Level  level     `json:"level"`
	Fault  fault     `json:"fault"`
	Since  time.Time `json:"since"`
	Title  string    `json:"title"`
	Text   string    `json:"text"`
	Advice []string  `json:"advice"`
	Notes  []string  `json:"notes"` // what else is worth a look
}

// verdict looks at the facts in the order of their weight: the first that holds is what has to be dealt with.
func (f *facts) verdict() Verdict {
	v := f.judge()
	if v.Fault == "" {
		v.Fault = nobody
	}
	v.Notes = f.notes(v.State)
	if f.repeats >= repeatsToTell && v.Fault == byOutput {
		v.Advice = append([]string{
			"Look for a JSON error in " + f.receiver() + "'s log: one event may be unreadable for it. rtbeat's log has the uuids of the window (\"the same window\"), docs/runbooks.md the rest.",
		}, v.Advice...)
	}
	if v.Advice == nil {
		v.Advice = []string{}
	}
	return v
}

func (f *facts) judge() Verdict {
	switch {
	case f.phase == "leaving" || f.phase == "draining":
		return f.isStopping()
	case f.phase == "starting":
		return Verdict{State: starting, Level: warn, Title: "Starting", Text: "rtbeat does not serve yet."}
	case f.queueFailed > 0:
		return f.hasFailedQueue()
	case f.queueFull > 0:
		return f.hasFullQueue()
	case f.stalled && f.persisted:
		return f.isDegraded()
	case f.stalled:
		return f.isStalled()
	case f.full > 0:
		return f.isRefusing()
	case f.internal > 0:
		return Verdict{
			State: failing, Level: bad, Fault: byRtbeat, Title: "Failing",
			Text: fmt.Sprintf("%s failed inside rtbeat in the last 30 s, and will be retried.", counted(f.internal, "batch", "batches")),
			Advice: []string{
				"Look for \"processor\" and \"panic\" in rtbeat's log: a processor that fails on a sender's messages, or a defect in rtbeat.",
			},
		}
	case f.givenUp > 0:
		return Verdict{
			State: givingUp, Level: bad, Fault: byOutput, Title: "Giving up",
			Text: fmt.Sprintf("The output gave up events of %s in the last 30 s (502 output_rejected). Their senders keep them, and send them again.",
				counted(f.givenUp, "batch", "batches")),
			Advice: []string{
				"rtbeat's log has the output's reason: a mapping, an authorization, a limit, a full disk. Mend the cause, and the next attempt is delivered.",
				"If a message can never be stored, its sender is stuck behind it: docs/outputs.md says what to do.",
			},
		}
	case f.timeouts > 0 || f.noAck > f.settings.Timeout:
		return f.isSlow()
	case f.retrying > 0:
		return f.isRetrying()
	case f.high:
		return f.isNearlyFull()
	case f.acked > 0:
		return Verdict{State: delivering, Level: ok, Title: "Delivering", Text: rateOf(f.ackedRate) + " acknowledged by the output, over the last 30 s."}
	case f.events > 0 || f.noAck > 0:
		return Verdict{
			State: delivering, Level: ok, Title: "Delivering",
			Text: counted(f.events, "event is", "events are") + " on the way to the output.",
		}
	case f.received > 0:
		return Verdict{
			State: delivering, Level: ok, Title: "Delivering",
			Text: counted(f.received, "batch", "batches") + " came in the last 30 s with nothing to deliver: delivered before, filtered by processors, or the sender had left.",
		}
	case f.rejected > 0:
		return Verdict{
			State: rejecting, Level: warn, Fault: bySender, Title: "Rejecting",
			Text: fmt.Sprintf("Nothing was delivered in the last 30 s, and %s refused: %s.", counted(f.rejected, "request was", "requests were"), f.reason),
			Advice: []string{
				"The sender has to change what it sends, or its credentials. The errors below say how; docs/operations.md has each reason.",
			},
		}
	default:
		return Verdict{
			State: idle, Level: ok, Title: "Idle",
			Text: "Nothing is in flight, and nothing came in the last 30 s. Whether " + f.receiver() + " works shows with the next batch.",
			Advice: []string{
				"Should there be traffic? See whether senders reach this machine: connections, below.",
			},
		}
	}
}
