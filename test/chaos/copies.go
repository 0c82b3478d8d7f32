//go:build chaos

package chaos

import (
	"fmt"
	"time"

	"github.com/txn2/rtbeat/test/harness"
)

// passedFor is how long before a fault an acknowledgement must have been passed on for the process to have no excuse:
// it may not have read it yet, on a loaded machine or because it was stopped.
const passedFor = 1500 * time.Millisecond

// judgeCopies holds every second arrival of a message against what can explain it. It returns how many copies each kind
// of fault explains, and what nothing explains:
//
//  1. Within one life of the process, a copy needs a fault that met the connection of the first arrival in between, and
//     before which that connection had neither carried the acknowledgement back nor led to a 200. The copy may come over
//     the same connection: libbeat writes once more to one from which it can no longer read.
//  2. From another life of the process, a copy needs a sender that was not told 200 and gave it the message again.
//     With a queue on disk the next process has it from there, unless it was acknowledged before the other one ended.
//  3. Every event has a document id. All copies of its message share it, and no other message has it, so that a store
//     keeps one of the copies.
//
// So there are no more copies of a message than faults that met it unacknowledged.
func judgeCopies(receipts []receipt, procs []*process, attempts []harness.Attempt, stored bool) (map[string]int, []harness.Violation) {
	j := judge{procs: procs, stored: stored, both: make(map[life]bool), again: make(map[int]int), posted: make(map[string][]*harness.Attempt)}
	for i := range attempts {
		for _, id := range attempts[i].IDs {
			j.posted[id] = append(j.posted[id], &attempts[i])
		}
	}
	explained := make(map[string]int)
	var broken []harness.Violation
	last := make(map[string]*receipt)
	owners := make(map[string]string) // of documents
	for i := range receipts {
		r := &receipts[i]
		before := last[r.id]
		owner, taken := owners[r.document]
		if r.document == "" || taken && owner != r.id || before != nil && before.document != r.document {
			broken = append(broken, harness.Violation{ID: r.id, What: fmt.Sprintf("@metadata._id is %q", r.document)})
		}
		owners[r.document] = r.id
		if before != nil {
			why, wrong := j.copy(before, r)
			if wrong != "" {
				broken = append(broken, harness.Violation{ID: r.id, What: "copy: " + wrong})
			} else {
				explained[why]++
			}
		}
		last[r.id] = r
	}
	return explained, broken
}

type judge struct {
	procs  []*process
	stored bool // a process may have the message from the disk
	both   map[life]bool
	again  map[int]int                   // by process: events offered again
	posted map[string][]*harness.Attempt // by message
}

// life is a message in one life of the process.
type life struct {
	id      string
	process int
}

// copy explains the second of two arrivals of a message, or says why it cannot be explained.
func (j *judge) copy(first, second *receipt) (why, wrong string) {
	a, b := first.link, second.link
	switch {
	case a == nil || b == nil:
		return "", "over a connection that nobody knows"
	case a.owner != b.owner:
		return j.fromAnotherLife(first, second)
	}

	fault, ok := a.touched(first.at, second.at)
	switch {
	case !ok && j.bothWays(first):
		return "from the disk and from its sender", ""
	case !ok && j.offeredAgain(first):
		return "offered again to a disk queue that did not go on", ""
	case !ok && a == b:
		return "", "twice over one connection"
	case !ok:
		return "", "the process lived, and no fault met the connection"
	case !first.passed.IsZero() && fault.from.Sub(first.passed) > passedFor:
		return "", fmt.Sprintf("acknowledged %s before %q", fault.from.Sub(first.passed), fault.fault)
	}
	for _, p := range j.posted[first.id] {
		inThisLife := p.Answer.At.After(j.procs[a.owner].started) // a sender of equal messages may have been told by the one before
		if inThisLife && p.Delivered(first.id) && p.Answer.At.Before(fault.from) && !j.stored {
			return "", fmt.Sprintf("answered 200 before %q", fault.fault)
		}
	}
	return fault.fault, ""
}

// bothWays says whether a process had the message from the disk and, because the one before had not answered, from its
// sender as well. That explains one copy in each life: what is on the disk is not known by its key.
func (j *judge) bothWays(first *receipt) bool {
	in := life{first.id, first.link.owner}
	if !j.stored || j.both[in] {
		return false
	}
	began := j.procs[in.process].started
	var earlier, now bool
	for _, p := range j.posted[first.id] {
		earlier = earlier || p.Start.Before(began)
		now = now || !p.Ended || p.Answer.At.After(began)
	}
	j.both[in] = earlier && now
	return j.both[in]
}

// mostAgain is how often a process offers an event again in a scenario: after 2 s without an acknowledgement of the disk,
// then after 4, 8, and so on.
const mostAgain = 4

// offeredAgain says whether a process may have offered the message to its disk queue once more, because that did not go
// on. It takes the newest message for that, which need not have waited for long itself.
func (j *judge) offeredAgain(first *receipt) bool {
	if !j.stored || j.again[first.link.owner] == mostAgain {
		return false
	}
	j.again[first.link.owner]++
	return true
}

// fromAnotherLife is copy for two lives of the process.
func (j *judge) fromAnotherLife(first, second *receipt) (why, wrong string) {
	before, after := j.procs[first.link.owner], j.procs[second.link.owner]
	given := j.stored && !before.ended.IsZero() && (first.passed.IsZero() || before.ended.Sub(first.passed) < passedFor)
	for _, p := range j.posted[first.id] {
		lived := p.Start.Before(second.at) && (!p.Ended || p.Answer.At.After(after.started))
		given = given || lived
		if p.Delivered(first.id) && p.Answer.At.Before(after.started) && !j.stored && !j.sentByAnother(first.id, p) {
			return "", "answered 200 by a process before the one that sent it"
		}
	}
	if !given {
		return "", "the process was never given the message"
	}
	if before.ended.IsZero() {
		return after.how, "" // what a dead process had sent came late
	}
	return before.how, ""
}

// sentByAnother says whether a sender of equal messages had no answer yet when this one was told 200.
func (j *judge) sentByAnother(id string, told *harness.Attempt) bool {
	for _, p := range j.posted[id] {
		if p.By != told.By && (!p.Ended || p.Answer.At.After(told.Answer.At)) {
			return true
		}
	}
	return false
}
