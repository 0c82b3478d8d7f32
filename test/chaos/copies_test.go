//go:build chaos

package chaos

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// Each rule for copies is broken once.
func TestCopiesNeedAnExplanation(t *testing.T) {
	zero := time.Now()
	at := func(seconds float64) time.Time { return zero.Add(time.Duration(seconds * float64(time.Second))) }
	procs := []*process{{started: at(0), ended: at(10), how: "SIGKILL"}, {started: at(11)}}
	// The first connection had a fault from 4 to 5 s. The second was closed without a fault.
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
		if l != nil {
			r.owner = l.owner
		}
		if passed > 0 {
			r.passed = at(passed)
		}
		return r
	}
	const ok, timeout = http.StatusOK, http.StatusGatewayTimeout

	for name, tt := range map[string]struct {
		receipts []receipt
		attempts []harness.Attempt
		why      string // empty: there must be a violation
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
		"once more over the connection with the fault": {
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
			nil, "", "no fault on the connection",
		},
		"before the fault": {
			[]receipt{receive(cutOff, 1, 0), receive(later, 3, 7)},
			nil, "", "no fault on the connection",
		},
		"after the fault": {
			[]receipt{receive(cutOff, 6, 0), receive(later, 7, 8)},
			nil, "", "no fault on the connection",
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
		"cut in the process after another sender's 200": {
			[]receipt{receive(cutNext, 12, 0), receive(next, 14, 15)},
			[]harness.Attempt{attempt(2, 5, ok), attempt(11.5, 15.5, ok)},
			"reset", "",
		},
		"another process that never received it": {
			[]receipt{receive(later, 9, 0), receive(next, 12, 13)},
			[]harness.Attempt{attempt(8, 10, timeout)},
			"", "never received the message",
		},
		"another process after a 200": {
			[]receipt{receive(later, 3, 4), receive(next, 12, 13)},
			[]harness.Attempt{attempt(2, 5, ok), attempt(11.5, 13.5, ok)},
			"", "answered 200 by a process before",
		},
		"an unknown connection": {
			[]receipt{receive(nil, 3, 4), receive(later, 6, 7)},
			nil, "", "unknown connection",
		},
	} {
		t.Run(name, func(t *testing.T) {
			explained, broken := judgeCopies(tt.receipts, procs, tt.attempts, false, false)
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

// In durable mode the next process sends the stored and unacknowledged messages, and no others.
func TestCopiesFromTheDisk(t *testing.T) {
	zero := time.Now()
	procs := []*process{{started: zero, ended: zero.Add(10 * time.Second), how: "SIGKILL"}, {started: zero.Add(11 * time.Second)}}
	second := receipt{id: "m", document: "d", at: zero.Add(12 * time.Second), link: &link{owner: 1}, owner: 1}
	first := receipt{id: "m", document: "d", at: zero.Add(5 * time.Second), link: &link{owner: 0}}

	explained, broken := judgeCopies([]receipt{first, second}, procs, nil, true, false)
	require.Empty(t, broken)
	require.Equal(t, map[string]int{"SIGKILL": 1}, explained)

	// Its sender had no answer, and sent it to the next process as well.
	first.passed = zero.Add(6 * time.Second)
	attempts := []harness.Attempt{{IDs: []string{"m"}, Start: zero.Add(4 * time.Second)}, {IDs: []string{"m"}, Start: zero.Add(11 * time.Second)}}
	_, broken = judgeCopies([]receipt{first, second}, procs, attempts, true, false)
	require.Len(t, broken, 1)
	require.Contains(t, broken[0].What, "never received the message")

	// A message of the same batch was not acknowledged. After a stop in good order, that explains nothing.
	attempts[0].IDs = []string{"m", "n"}
	_, broken = judgeCopies([]receipt{first, second}, procs, attempts, true, false)
	require.Empty(t, broken)
	procs[0].how = "SIGTERM"
	_, broken = judgeCopies([]receipt{first, second}, procs, attempts, true, false)
	require.Len(t, broken, 1)
}

// A message without a uuid is another message in each attempt.
func TestCopiesWithoutAUUID(t *testing.T) {
	l := &link{owner: 0}
	procs := []*process{{started: time.Now()}}
	receipts := []receipt{{id: "m", document: "d", nameless: true, link: l}, {id: "m", document: "e", nameless: true, link: l}}
	attempts := []harness.Attempt{{IDs: []string{"m"}}, {IDs: []string{"m"}}}
	_, broken := judgeCopies(receipts, procs, attempts, true, false)
	require.Empty(t, broken)
	_, broken = judgeCopies(receipts, procs, attempts[1:], true, false)
	require.Len(t, broken, 1)
	_, broken = judgeCopies(append(receipts, receipts[0]), procs, attempts, true, false)
	require.Len(t, broken, 1)
	require.Contains(t, broken[0].What, "twice over one connection")
}

// An acknowledgement counts when the process received it. A frame may cover a part of its window.
func TestAnAckCountsWhenItReachesTheProcess(t *testing.T) {
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

// Events of a killed process may arrive over a connection that is accepted when the next process runs.
func TestEventsBelongToTheProcessThatSentThem(t *testing.T) {
	zero := time.Now()
	receive := func(life string, seconds, owner int) receipt {
		return receipt{life: life, at: zero.Add(time.Duration(seconds) * time.Second), link: &link{owner: owner}}
	}
	receipts := []receipt{
		receive("a", 1, 0), receive("b", 2, 2), receive("b", 3, 2), // b is process 1, which is dead
		receive("c", 4, 2), receive("d", 6, 5), receive("d", 5, 4),
	}
	findOwners(receipts)
	var owners []int
	for _, r := range receipts {
		owners = append(owners, r.owner)
	}
	require.Equal(t, []int{0, 1, 1, 2, 4, 4}, owners)
}

// A stopped process reads no acknowledgement.
func TestTimeStoppedDoesNotCountAsRunning(t *testing.T) {
	zero := time.Now()
	at := func(seconds int) time.Time { return zero.Add(time.Duration(seconds) * time.Second) }
	p := &process{started: at(0), ended: at(10), how: "SIGKILL", stops: []span{{at(1), at(3)}, {at(8), time.Time{}}}}
	require.Equal(t, 6*time.Second, p.ran(at(0), at(10)))
	require.Equal(t, 5*time.Second, p.ran(at(2), at(8)))
	require.False(t, open(at(5), p))
	require.True(t, open(at(7), p), "it ran for one second then")
}
