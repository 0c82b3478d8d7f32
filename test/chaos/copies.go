//go:build chaos

package chaos

import (
	"fmt"
	"slices"
	"strings"
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
//     In durable mode the next process has it from the disk, if the one before ended without the acknowledgement. That
//     senders give it again explains nothing there: stored messages are known, also after a restart. After a SIGKILL, a
//     batch is on the disk as a whole until each of its messages is acknowledged. A processor that fails makes it so, too.
//  3. Every event has a document id. All copies of its message share it, and no other message has it, so that a store
//     keeps one of the copies.
//
// So there are no more copies of a message than faults that met it unacknowledged. A message without a uuid is another one
// in each attempt: there are no more of it than attempts, and the rules hold for each.
func judgeCopies(receipts []receipt, procs []*process, attempts []harness.Attempt, stored, fates bool) (map[string]int, []harness.Violation) {
	j := judge{procs: procs, stored: stored, fates: fates, posted: make(map[string][]*harness.Attempt), passed: make(map[string]time.Time)}
	j.read(receipts, attempts)
	explained := make(map[string]int)
	var broken []harness.Violation
	last := make(map[string]*receipt)
	owners := make(map[string]string) // of documents
	nameless := make(map[string]int)  // messages without a uuid, by their name
	for i := range receipts {
		r := &receipts[i]
		one := r.id
		if r.nameless {
			one += " " + r.document
		}
		before := last[one]
		owner, taken := owners[r.document]
		if r.document == "" || taken && owner != r.id || before != nil && before.document != r.document {
			broken = append(broken, harness.Violation{ID: r.id, What: fmt.Sprintf("@metadata._id is %q", r.document)})
		}
		if r.nameless && before == nil {
			nameless[r.id]++
			if nameless[r.id] > len(j.posted[r.id]) {
				broken = append(broken, harness.Violation{ID: r.id, What: "copy: another document than for any attempt"})
			}
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
		last[one] = r
	}
	return explained, broken
}

type judge struct {
	procs  []*process
	stored bool                          // a process may have the message from the disk
	fates  bool                          // processors fail
	posted map[string][]*harness.Attempt // by message
	passed map[string]time.Time          // by message, of its first acknowledgement
}

// read notes what was posted, and when each message was first acknowledged.
func (j *judge) read(receipts []receipt, attempts []harness.Attempt) {
	for _, r := range receipts {
		if first := j.passed[r.id]; !r.passed.IsZero() && (first.IsZero() || r.passed.Before(first)) {
			j.passed[r.id] = r.passed
		}
	}
	for i := range attempts {
		for _, id := range attempts[i].IDs {
			j.posted[id] = append(j.posted[id], &attempts[i])
		}
	}
}

// copy explains the second of two arrivals of a message, or says why it cannot be explained.
func (j *judge) copy(first, second *receipt) (why, wrong string) {
	a, b := first.link, second.link
	switch {
	case a == nil || b == nil:
		return "", "over a connection that nobody knows"
	case first.owner != second.owner:
		return j.fromAnotherLife(first, second)
	}

	fault, ok := a.touched(first.at, second.at)
	switch {
	case !ok && a == b:
		return "", "twice over one connection"
	case !ok:
		return "", "the process lived, and no fault met the connection"
	case !first.passed.IsZero() && fault.from.Sub(first.passed) > passedFor:
		return "", fmt.Sprintf("acknowledged %s before %q", fault.from.Sub(first.passed), fault.fault)
	}
	for _, p := range j.posted[first.id] {
		inThisLife := p.Answer.At.After(j.procs[first.owner].started) // a sender of equal messages may have been told by the one before
		if inThisLife && p.Delivered(first.id) && p.Answer.At.Before(fault.from) && !j.stored {
			return "", fmt.Sprintf("answered 200 before %q", fault.fault)
		}
	}
	return fault.fault, ""
}

// openBatch is open for the batches of a message: whether it holds for any message that was sent with it.
func (j *judge) openBatch(id string, died *process) bool {
	return slices.ContainsFunc(j.posted[id], func(p *harness.Attempt) bool {
		return slices.ContainsFunc(p.IDs, func(id string) bool { return open(j.passed[id], died) })
	})
}

// open says whether a process that has died may have missed an acknowledgement that was passed on then, or never.
func open(passed time.Time, died *process) bool {
	return passed.IsZero() || died.ran(passed, died.sealed()) < passedFor
}

// fromAnotherLife is copy for two lives of the process.
func (j *judge) fromAnotherLife(first, second *receipt) (why, wrong string) {
	before, after := j.procs[first.owner], j.procs[second.owner]
	old, died := first, before
	if first.owner > second.owner { // what a dead process had sent came late
		old, died = second, after
	}
	given := j.stored && (open(old.passed, died) ||
		(j.fates || strings.HasPrefix(died.how, sigkill)) && j.openBatch(first.id, died))
	for _, p := range j.posted[first.id] {
		lived := p.Start.Before(second.at) && (!p.Ended || p.Answer.At.After(after.started))
		given = given || lived && !j.stored
		if p.Delivered(first.id) && p.Answer.At.Before(after.started) && !j.stored && !j.sentByAnother(first.id, p) {
			return "", "answered 200 by a process before the one that sent it"
		}
	}
	if !given {
		return "", "the process was never given the message"
	}
	return died.how, ""
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
