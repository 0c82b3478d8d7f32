package harness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

const (
	// storiesTold bounds a report: what breaks one message as a rule breaks many, and the first few explain them.
	storiesTold = 5
	// breachesNamed bounds the list of message ids.
	breachesNamed = 40
)

// Note is something that happened at a moment and matters for every message: a fault, a restart.
type Note struct {
	At   time.Time
	Text string
}

// Attempt is one POST as its sender saw it. Answer is the zero Answer while it is under way.
type Attempt struct {
	IDs    []string
	Start  time.Time
	Answer Answer
	Ended  bool
	By     string // the sender, where it has a name

	mayDrop map[string]bool
}

// Delivered says whether the sender was told that the message is delivered, and not that it may have been dropped.
func (a Attempt) Delivered(id string) bool { return a.OK() && !a.mayDrop[id] }

// OK says whether the sender was told that everything is delivered.
func (a Attempt) OK() bool { return a.Ended && a.Answer.Err == nil && a.Answer.Code == 200 }

// how names the sender, and what the processors do with the message.
func (a Attempt) how(id string) string {
	text := ""
	if a.By != "" {
		text = " by " + a.By
	}
	if a.mayDrop[id] {
		text += ", to be dropped"
	}
	return text
}

// Attempts is every POST so far, in the order in which they began.
func (l *Ledger) Attempts() []Attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	attempts := make([]Attempt, len(l.posts))
	for i, p := range l.posts {
		attempts[i] = Attempt{IDs: p.ids, Start: p.start, Answer: p.answer, Ended: p.answered, By: p.by, mayDrop: p.mayDrop}
	}
	return attempts
}

// Report names what was broken, and tells for the first few messages what happened to them in time.
func (l *Ledger) Report(broken []Violation, events []lumbersink.Event, notes []Note) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d breaches\n", len(broken))
	for _, v := range broken[:min(len(broken), breachesNamed)] {
		fmt.Fprintln(&text, " ", v)
	}
	told := make(map[string]bool)
	for _, v := range broken {
		if v.ID == "" || told[v.ID] || len(told) == storiesTold {
			continue
		}
		told[v.ID] = true
		fmt.Fprintf(&text, "what happened to %q:\n%s", v.ID, l.story(v.ID, events, notes))
	}
	return text.String()
}

// story is the attempts to send a message and its arrivals at the sink, in time, with what happened meanwhile.
func (l *Ledger) story(id string, events []lumbersink.Event, notes []Note) string {
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
	// What happened shortly before its first and after its last moment may be the cause.
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
