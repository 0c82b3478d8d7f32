package status

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/txn2/rtbeat/internal/intake"
)

// notes returns further facts beside the verdict.
func (f *facts) notes(s state) []string {
	notes := []string{}
	add := func(holds bool, format string, args ...any) {
		if holds {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	add(f.rejected > 0 && s != rejecting, "%s refused in the last 30 s: %s. Their senders have to change them.",
		counted(f.rejected, "request was", "requests were"), f.reason)
	add(f.WindowRepeats >= repeatsToTell, "The same window was sent again %s with no acknowledgement in between: one event may be unreadable for %s. rtbeat's log has the uuids of its first and its last event.",
		counted(f.WindowRepeats, "time", "times"), f.receiver())
	add(f.writeErrors > 0, "Sending to the output failed %s in the last 30 s; rtbeat's log says why.", counted(f.writeErrors, "time", "times"))
	add(f.outputDropped > 0, "The output gave up %s in the last 15 minutes. The log says why.", counted(f.outputDropped, "event", "events"))
	hasStored := s == degraded || s == fullQueue || s == retrying
	add(f.durable.OldestSeconds > Number(lately.Seconds()) && !hasStored, "%s", f.stored())
	add(f.displaced > 0, "%s closed in the last 30 s for new ones (rtbeat.max_connections).", counted(f.displaced, "connection was", "connections were"))
	if expiry := moment(f.CertificateExpiry); !expiry.IsZero() {
		left := expiry.Sub(f.at)
		add(left <= 0, "The certificate that senders see has expired (rtbeat.ssl.certificate).")
		add(left > 0 && left < certificateWarning, "The certificate that senders see expires in %s (rtbeat.ssl.certificate).", about(left))
	}
	return notes
}

// repeatsToTell is the number of repeats of a window from which there is a note. A lost connection causes one or two.
const repeatsToTell = 3

// certificateWarning is the time before the end of a certificate from which there is a note.
const certificateWarning = 14 * 24 * time.Hour

// awaited returns the cause of the wait for an answer, and its side.
func (f *facts) awaited() (string, intake.Fault) {
	if f.persisted {
		return "the disk", intake.ByRtbeat
	}
	return "the output", intake.ByOutput
}

// receiver names the system to which the output sends.
func (f *facts) receiver() string {
	if name := f.settings.Output; name != "" && name != "logstash" {
		return "the receiver of output." + name
	}
	return "Logstash"
}

// share returns the part of rtbeat.max_in_flight_bytes that is in use.
func (f *facts) share() string {
	if f.InFlight.Bytes.Limit <= 0 {
		return "an unknown share"
	}
	return fmt.Sprintf("%.0f %%", 100*f.InFlight.Bytes.Value/f.InFlight.Bytes.Limit)
}

func counted[N ~float64](n N, one, many string) string {
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

// about returns a duration in whole units.
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
