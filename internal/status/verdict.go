package status

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
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
	unknown     state = "unknown"
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

// facts are what a verdict is made of. Counts are of the last 30 seconds; one that is not known is 0.
type facts struct {
	now       time.Time
	settings  Settings
	known     bool // the metrics of the output and of what is in flight are there
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
	case !f.known:
		return Verdict{
			State: unknown, Level: warn, Fault: byRtbeat, Title: "Unknown", Text: "The metrics cannot be read.",
			Advice: []string{"See /readyz and /metrics on this port, and rtbeat's log."},
		}
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
			Text: fmt.Sprintf("%s failed inside rtbeat in the last 30 s. They come again.", counted(f.internal, "batch", "batches")),
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
				"rtbeat's log has the output's reason: a mapping, an authorization, a limit, a full disk. Mend that, and the next attempt is delivered.",
				"Where a message itself can never be stored, its sender is stuck behind it: docs/outputs.md has the ways out.",
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
			Text: counted(f.received, "batch", "batches") + " came in the last 30 s with nothing to deliver: it had been delivered before, was filtered by processors, or its sender had left.",
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

func (f *facts) isStopping() Verdict {
	v := Verdict{State: stopping, Level: warn, Title: "Stopping", Text: "Nothing is in flight any more."}
	if f.events > 0 {
		v.Text = counted(f.events, "event waits", "events wait") + " for an acknowledgement. Senders are told to go elsewhere, or to come again."
	}
	return v
}

func (f *facts) isStalled() Verdict {
	return Verdict{
		State: stalling, Level: bad, Fault: byOutput, Title: "Stalled", Since: f.now.Add(-f.noAck),
		Text: fmt.Sprintf("The output has acknowledged nothing for %s, although it has %s. New batches are refused (503 output_stalled).",
			about(f.noAck), counted(f.events, "event", "events")),
		Advice: []string{
			"See whether " + f.receiver() + " is up, and whether something blocks it: an output of its own that hangs, a full queue, a full disk.",
			"If " + f.receiver() + " is well, look for the output in rtbeat's log: a refused connection, a name that does not resolve, a certificate.",
			"Senders are told to keep their batches and send them again. The first acknowledgement ends the stall; rtbeat needs no restart.",
		},
	}
}

func (f *facts) isRefusing() Verdict {
	awaited, fault := f.awaited()
	return Verdict{
		State: refusing, Level: bad, Fault: fault, Title: "Refusing",
		Text: fmt.Sprintf("%s refused in the last 30 s, because as much waits for %s as rtbeat.max_in_flight_bytes allows (%s now).",
			counted(f.full, "batch was", "batches were"), awaited, f.share()),
		Advice: []string{
			"Senders are faster than " + awaited + ": see whether it is slower than usual, or more is sent than usual.",
			"Senders keep their batches and send them again. Raise rtbeat.max_in_flight_bytes for short peaks only, and only where there is memory for it.",
		},
	}
}

func (f *facts) isNearlyFull() Verdict {
	awaited, fault := f.awaited()
	return Verdict{
		State: nearlyFull, Level: warn, Fault: fault, Title: "Nearly full",
		Text:   fmt.Sprintf("%s of rtbeat.max_in_flight_bytes waits for %s. At the limit, new batches are refused.", f.share(), awaited),
		Advice: []string{"Senders are faster than " + awaited + ": see whether it is slower than usual, or more is sent than usual."},
	}
}

func (f *facts) isSlow() Verdict {
	v := Verdict{State: slow, Level: warn, Fault: byOutput, Title: "Slow"}
	switch {
	case f.persisted && f.timeouts > 0:
		v.Fault = byRtbeat
		v.Text = fmt.Sprintf("%s not on the disk within %s (504) in the last 30 s.", counted(f.timeouts, "batch was", "batches were"), f.settings.Timeout)
		v.Advice = []string{"See whether the disk of rtbeat.durable.path is slow, or busy with something else. Senders keep these batches and send them again."}
		return v
	case f.persisted:
		v.Text = fmt.Sprintf("The output has acknowledged nothing for %s. Batches are stored, and answered 200.", about(f.noAck))
		v.Advice = []string{"See whether " + f.receiver() + " is up, and slower than usual: its pipeline, and what stands behind it."}
		return v
	case f.noAck > f.settings.Timeout:
		v.Text = fmt.Sprintf("The output has acknowledged nothing for %s, and senders are told 504 after %s.", about(f.noAck), f.settings.Timeout)
	default:
		v.Text = fmt.Sprintf("%s not acknowledged within %s (504) in the last 30 s. The output takes longer than that.",
			counted(f.timeouts, "batch was", "batches were"), f.settings.Timeout)
	}
	v.Advice = []string{
		"See whether " + f.receiver() + " is slower than usual: its pipeline, and what stands behind it.",
		"Senders keep these batches and send them again; what the output has of them is not published twice.",
	}
	return v
}

// notes are what is worth a look beside the verdict.
func (f *facts) notes(s state) []string {
	notes := []string{}
	add := func(holds bool, format string, args ...any) {
		if holds {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	add(f.rejected > 0 && s != rejecting, "%s refused in the last 30 s: %s. That is for their sender to change.",
		counted(f.rejected, "request was", "requests were"), f.reason)
	add(f.repeats >= repeatsToTell, "The same window was sent again %s with no acknowledgement in between: one event may be unreadable for %s. rtbeat's log has the uuids of its first and its last event.",
		counted(f.repeats, "time", "times"), f.receiver())
	add(f.writeErrors > 0, "Sending to the output failed %s in the last 30 s; rtbeat's log says why.", counted(f.writeErrors, "time", "times"))
	add(f.outputDropped > 0, "The output gave up %s in the last 15 minutes. The log says why.", counted(f.outputDropped, "event", "events"))
	isTold := s == degraded || s == fullQueue || s == retrying
	add(f.disk.OldestSeconds > Number(lately.Seconds()) && !isTold, "%s", f.stored())
	add(f.displaced > 0, "%s closed in the last 30 s to make room for others (rtbeat.max_connections).", counted(f.displaced, "connection was", "connections were"))
	if !f.certificate.IsZero() {
		left := f.certificate.Sub(f.now)
		add(left <= 0, "The certificate that senders see has expired (rtbeat.ssl.certificate).")
		add(left > 0 && left < certificateWarning, "The certificate that senders see expires in %s (rtbeat.ssl.certificate).", about(left))
	}
	return notes
}

// repeatsToTell is how many repeats of a window are worth a note. A lost connection costs one or two.
const repeatsToTell = 3

// certificateWarning is how long before its end a certificate is worth a note.
const certificateWarning = 14 * 24 * time.Hour

// awaited is what an answer waits for, and on whose side it is.
func (f *facts) awaited() (string, fault) {
	if f.persisted {
		return "the disk", byRtbeat
	}
	return "the output", byOutput
}

// receiver is what the output ships to.
func (f *facts) receiver() string {
	if name := f.settings.Output; name != "" && name != "logstash" {
		return "what output." + name + " ships to"
	}
	return "Logstash"
}

func (f *facts) share() string {
	if f.persisted {
		return "nearly 50 %" // the rest is the shipper's
	}
	if f.bytesLimit <= 0 {
		return "an unknown share"
	}
	return fmt.Sprintf("%.0f %%", 100*f.bytes/f.bytesLimit)
}

func counted(n float64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(int64(n)) + " " + many
}

func rateOf(perSecond float64) string {
	if perSecond < 10 {
		return fmt.Sprintf("%.1f events/s", perSecond)
	}
	return humanize.Comma(int64(perSecond)) + " events/s"
}

// about is a duration in the largest unit that says enough.
func about(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}
