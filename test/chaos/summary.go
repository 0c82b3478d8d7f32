//go:build chaos

package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// sum counts over all scenarios of a run.
var sum = summary{answers: map[string]int{}, faults: map[string]int{}, copies: map[string]int{}, broken: map[string]int{}}

type summary struct {
	mu        sync.Mutex
	scenarios int
	messages  int
	events    int
	answers   map[string]int
	faults    map[string]int
	copies    map[string]int // by explanation
	broken    map[string]int // by kind of breach
}

func (s *summary) add(w *world, events []lumbersink.Event, explained map[string]int, broken []harness.Violation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scenarios++
	s.messages += w.ledger.Sent()
	s.events += len(events)
	for code, n := range w.tally.Counts() {
		s.answers[code] += n
	}
	for why, n := range explained {
		s.copies[why] += n
	}
	for _, v := range broken {
		kind, _, _ := strings.Cut(v.What, ":")
		s.broken[kind]++
	}
}

// count counts a fault that took effect.
func (s *summary) count(fault string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[fault]++
}

// ends is the number of process ends by a signal.
func (s *summary) ends(signal string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for name, times := range s.faults {
		if name == signal || strings.HasPrefix(name, signal+",") {
			n += times
		}
	}
	return n
}

func (s *summary) String() string {
	kills, terms := s.ends(sigkill), s.ends(sigterm)
	s.mu.Lock()
	defer s.mu.Unlock()
	copies := 0
	for _, n := range s.copies {
		copies += n
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%d scenarios, %d times killed, %d times asked to stop\n", s.scenarios, kills, terms)
	fmt.Fprintf(&text, "%d messages, %d events at the sinks, answers %v\n", s.messages, s.events, s.answers)
	fmt.Fprintf(&text, "lost %d, false 200s %d, invented %d, changed %d, refused and yet published %d\n",
		s.broken["lost"], s.broken["false 200"], s.broken["invented"], s.broken["changed"],
		s.broken["refused, yet published and at the sink"])
	fmt.Fprintf(&text, "copies %d, not explained %d", copies, s.broken["copy"])
	list(&text, "; explained by", s.copies)
	list(&text, "faults", s.faults)
	return text.String()
}

func list(text *strings.Builder, title string, counts map[string]int) {
	fmt.Fprintln(text, title)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(text, "  %6d  %s\n", counts[name], name)
	}
}
