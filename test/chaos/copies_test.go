//go:build chaos

package chaos

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// The verdict on copies rests on these rules, so each is broken once.
func TestCopiesNeedAnExplanation(t *testing.T) {
	zero := time.Now()
	at := func(seconds float64) time.Time { return zero.Add(time.Duration(seconds * float64(time.Second))) }
	procs := []*process{{started: at(0), ended: at(10), how: "SIGKILL"}, {started: at(11)}}
	// The first connection was met by a fault from 4 to 5 s, the second was closed without one.
	cutOff := &link{owner: 0, touches: []touch{{"reset", at(4), at(5)}}}
	closed := &link{owner: 0, ended: at(5)}
	later := &link{owner: 0}
	next := &link{owner: 1}
	cutNext := &link{owner: 1, touches: []touch{{"reset", at(13), at(13.5)}}}
	attempt := func(start, end float64, code int) harness.Attempt {
		return harness.Attempt{IDs: []string{"m"}, Start: at(start), Ended: true, Answer: harness.Answer{At: at(end), Code: code}}
	}
	receive := func(l *link, received, passed float64) receipt {
		r := receipt{id: "m", document: "d", at: at(received), link: l}
		if passed > 0 {
			r.passed = at(passed)
		}
		return r
	}
	const ok, timeout = http.StatusOK, http.StatusGatewayTimeout

	for name, tt := range map[string]struct {
		receipts []receipt
		attempts []harness.Attempt
		why      string // empty: it must be found
		want     string
	}{
		"one arrival": {
			[]receipt{receive(later, 1, 2)},
			[]harness.Attempt{attempt(1, 2, ok)},
			"none", "",
		},
		"cut before the acknowledgement": {
			[]receipt{receive(cutOff, 3, 0), receive(later, 6, 7)},
			[]harness.Attempt{attempt(1, 7.5, ok)},
			"reset", "",
		},
		"killed before the acknowledgement": {
			[]receipt{receive(later, 9, 0), receive(next, 12, 13)},
			[]harness.Attempt{attempt(8, 10, timeout), attempt(11.5, 13.5, ok)},
			"SIGKILL", "",
		},
		"once more over the connection that was met": {
			[]receipt{receive(cutOff, 3, 0), receive(cutOff, 5, 0)}, nil, "reset", "",
		},
		"no document id": {
			[]receipt{{id: "m", at: at(1), link: later}},
			nil, "", "@metadata._id",
		},
		"another document id for a copy": {
			[]receipt{receive(cutOff, 3, 0), {id: "m", document: "other", at: at(6), link: later}},
			nil, "", "@metadata._id",
		},
		"the document id of another message": {
			[]receipt{receive(later, 1, 2), {id: "n", document: "d", at: at(6), link: later}},
			nil, "", "@metadata._id",
		},
		"twice on one connection": {
			[]receipt{receive(later, 1, 2), receive(later, 6, 7)},
			[]harness.Attempt{attempt(0, 3, timeout), attempt(4, 8, ok)},
			"", "twice over one connection",
		},
		"another connection, no fault": {
			[]receipt{receive(closed, 1, 0), receive(later, 6, 7)},
			nil, "", "no fault met",
		},
		"before the fault": {
			[]receipt{receive(cutOff, 1, 0), receive(later, 3, 7)},
			nil, "", "no fault met",
		},
		"after the fault": {
			[]receipt{receive(cutOff, 6, 0), receive(later, 7, 8)},
			nil, "", "no fault met",
		},
		"acknowledged long before the fault": {
			[]receipt{receive(cutOff, 1, 1.5), receive(later, 6, 7)},
			nil, "", "before \"reset\"",
		},
		"answered before the fault": {
			[]receipt{receive(cutOff, 1, 3), receive(later, 6, 7)},
			[]harness.Attempt{attempt(1, 3.5, ok)},
			"", "answered 200 before \"reset\"",
		},
		"cut in the life after another sender's 200": {
			[]receipt{receive(cutNext, 12, 0), receive(next, 14, 15)},
			[]harness.Attempt{attempt(2, 5, ok), attempt(11.5, 15.5, ok)},
			"reset", "",
		},
		"another life that was never asked": {
			[]receipt{receive(later, 9, 0), receive(next, 12, 13)},
			[]harness.Attempt{attempt(8, 10, timeout)},
			"", "never given the message",
		},
		"another life after a 200": {
			[]receipt{receive(later, 3, 4), receive(next, 12, 13)},
			[]harness.Attempt{attempt(2, 5, ok), attempt(11.5, 13.5, ok)},
			"", "answered 200 by a process before",
		},
		"a connection nobody knows": {
			[]receipt{receive(nil, 3, 4), receive(later, 6, 7)},
			nil, "", "nobody knows",
		},
	} {
		t.Run(name, func(t *testing.T) {
			explained, broken := judgeCopies(tt.receipts, procs, tt.attempts, false)
			if tt.why == "" {
				require.Len(t, broken, 1)
				require.Contains(t, broken[0].What, tt.want)
				return
			}
			require.Empty(t, broken)
			require.Equal(t, tt.why == "none", len(explained) == 0, "%v", explained)
			require.True(t, tt.why == "none" || explained[tt.why] == 1, "%v", explained)
		})
	}
}

// A process with a queue on disk sends what the one before had stored, but not what that one saw acknowledged.
func TestCopiesFromTheDisk(t *testing.T) {
	zero := time.Now()
	procs := []*process{{started: zero, ended: zero.Add(10 * time.Second), how: "SIGKILL"}, {started: zero.Add(11 * time.Second)}}
	second := receipt{id: "m", document: "d", at: zero.Add(12 * time.Second), link: &link{owner: 1}}
	first := receipt{id: "m", document: "d", at: zero.Add(5 * time.Second), link: &link{owner: 0}}

	explained, broken := judgeCopies([]receipt{first, second}, procs, nil, true)
	require.Empty(t, broken)
	require.Equal(t, map[string]int{"SIGKILL": 1}, explained)

	// The sender had no answer from the first process, and gave the message to the second, too: once more, not twice. And
	// the process may offer it to its queue a few times, not more.
	receipts := []receipt{first, second}
	for range 1 + mostAgain + 1 {
		next := receipts[len(receipts)-1]
		next.at, next.link = next.at.Add(time.Second), second.link
		receipts = append(receipts, next)
	}
	attempts := []harness.Attempt{{IDs: []string{"m"}, Start: zero.Add(9 * time.Second)}}
	explained, broken = judgeCopies(receipts, procs, attempts, true)
	require.Equal(t, map[string]int{
		"SIGKILL": 1, "from the disk and from its sender": 1, "offered again to a disk queue that did not go on": mostAgain,
	}, explained)
	require.Len(t, broken, 1)

	first.passed = zero.Add(6 * time.Second)
	_, broken = judgeCopies([]receipt{first, second}, procs, nil, true)
	require.Len(t, broken, 1)
	require.Contains(t, broken[0].What, "never given the message")
}

// What a sink released is no acknowledgement until it was passed on, and a frame may cover a part of its window.
func TestAcksAreThoseThatWerePassedOn(t *testing.T) {
	zero := time.Now()
	at := func(seconds int) time.Time { return zero.Add(time.Duration(seconds) * time.Second) }
	l := &link{acks: []ackFrame{{at(2), 1}, {at(3), 2}, {at(5), 2}}}
	// Windows of two, three and one events; the third was never acknowledged.
	receipts := []receipt{
		{id: "a", at: at(1), link: l},
		{id: "b", at: at(1), link: l},
		{id: "c", at: at(4), link: l},
		{id: "d", at: at(4), link: l},
		{id: "e", at: at(4), link: l},
		{id: "f", at: at(6), link: l},
	}
	passAcks(receipts, []int{0, 1, 2, 3, 4, 5})
	var passed []time.Time
	for _, r := range receipts {
		passed = append(passed, r.passed)
	}
	require.Equal(t, []time.Time{at(2), at(3), at(5), at(5), {}, {}}, passed)
}
