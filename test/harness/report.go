package harness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

const (
	// historiesShown bounds a report. One cause mostly breaks many messages, and the first few explain it.
	historiesShown = 5
	// breachesNamed bounds the list of message ids.
	breachesNamed = 40
)

// Note is an event that concerns every message: a fault, a restart.
type Note struct {
	At   time.Time
	Text string
}

// how names the sender, and says whether the processors drop the message.
func (a *Attempt) how(id string) string {
	text := ""
	if a.By != "" {
		text = " by " + a.By
	}
	if a.mayDrop[id] {
		text += ", to be dropped"
	}
	return text
}

// Report lists the breaches, and the history of the first few messages.
func (l *Ledger) Report(broken []Violation, events []lumbersink.Event, notes []Note) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d breaches\n", len(broken))
	for _, v := range broken[:min(len(broken), breachesNamed)] {
		fmt.Fprintln(&text, " ", v)
	}
	shown := make(map[string]bool)
	for _, v := range broken {
		if v.ID == "" || shown[v.ID] || len(shown) == historiesShown {
			continue
		}
		shown[v.ID] = true
		fmt.Fprintf(&text, "history of %q:\n%s", v.ID, l.history(v.ID, events, notes))
	}
	return text.String()
}

// history lists the attempts of a message, its arrivals at the sink, and the notes of that time, in order.
func (l *Ledger) history(id string, events []lumbersink.Event, notes []Note) string {
	var lines []Note
	add := func(at time.Time, format string, args ...any) {
		if !at.IsZero() {
			lines = append(lines, Note{at, fmt.Sprintf(format, args...)})
		}
	}
	for n, a := range l.Attempts() {
		if slices.Contains(a.IDs, id) {
			if a.Answer.Err != nil {
				add(a.Start, "attempt %d: sent with %d messages%s, %s after %s", n, len(a.IDs), a.how(id), a.Answer, a.Answer.Took())
				continue
			}
			add(a.Start, "attempt %d: sent with %d messages%s", n, len(a.IDs), a.how(id))
			add(a.Answer.At, "attempt %d: %s", n, a.Answer)
		}
	}
	for n, e := range events {
		if got, _, err := MessageOf(e.Raw); err == nil && got == id {
			add(e.Received, "event %d: received on connection %s", n, e.Conn)
			add(e.Acked, "event %d: acknowledged", n)
		}
	}
	if len(lines) == 0 {
		return "  nothing\n"
	}
	byTime := func(a, b Note) int { return a.At.Compare(b.At) }
	slices.SortStableFunc(lines, byTime)
	// A note shortly before the first line or after the last may be the cause.
	from, to := lines[0].At.Add(-time.Second), lines[len(lines)-1].At.Add(time.Second)
	for _, n := range notes {
		if n.At.After(from) && n.At.Before(to) {
			lines = append(lines, Note{n.At, "-- " + n.Text})
		}
	}
	slices.SortStableFunc(lines, byTime)
	var text strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&text, "  %s  %s\n", line.At.Format("15:04:05.000000"), line.Text)
	}
	return text.String()
}
