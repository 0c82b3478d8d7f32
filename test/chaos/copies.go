//go:build chaos

package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/txn2/rtbeat/test/harness"
)

// passedFor is the time in which the process must have read an acknowledgement. A loaded machine, or a stop, may delay it.
const passedFor = 1500 * time.Millisecond

// judgeCopies requires an explanation for every second arrival of a message. It returns the number of copies that each fault explains,
// and the copies without an explanation:
//
//  1. From the same process, a copy needs a fault on the first arrival's connection, between the two arrivals. Before the fault there
//     must be neither an acknowledgement nor a 200. The copy may use the same connection: libbeat writes once more to a connection
//     that it can no longer read.
//  2. From another process, a copy needs a sender without a 200 that sent the message again. In durable mode, the next process has the
//     message from the disk, if the process before ended without the acknowledgement. A repeated POST explains nothing there: stored
//     messages are deduped, also after a restart. A batch stays on the disk as a whole until each message is acknowledged, after a
//     SIGKILL or when a processor fails.
//  3. Every event has a document id. All copies of its message share it, and no other message has it, so that a store keeps one copy.
//
// So a message has no more copies than faults that hit it unacknowledged. A message without a uuid is another message in each
// attempt: there are no more of it than attempts, and the rules hold for each.
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
	stored bool                          // durable mode
	fates  bool                          // processors fail
	posted map[string][]*harness.Attempt // by message
	passed map[string]time.Time          // the first acknowledgement, by message
}

// read collects the attempts and the first acknowledgement of each message.
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

// copy returns the fault that explains the second of two arrivals, or the reason why none does.
func (j *judge) copy(first, second *receipt) (why, wrong string) {
	a, b := first.link, second.link
	switch {
	case a == nil || b == nil:
		return "", "over an unknown connection"
	case first.owner != second.owner:
		return j.fromAnotherProcess(first, second)
	}

	fault, ok := a.touched(first.at, second.at)
	switch {
	case !ok && a == b:
		return "", "twice over one connection"
	case !ok:
		return "", "the same process, and no fault on the connection"
	case !first.passed.IsZero() && fault.from.Sub(first.passed) > passedFor:
		return "", fmt.Sprintf("acknowledged %s before %q", fault.from.Sub(first.passed), fault.fault)
	}
	for _, p := range j.posted[first.id] {
		inThisLife := p.Answer.At.After(j.procs[first.owner].started) // the process before may have answered a sender of equal messages
		if inThisLife && p.Delivered(first.id) && p.Answer.At.Before(fault.from) && !j.stored {
			return "", fmt.Sprintf("answered 200 before %q", fault.fault)
		}
	}
	return fault.fault, ""
}

// openBatch says whether open holds for any message that was sent with this one.
func (j *judge) openBatch(id string, died *process) bool {
	return slices.ContainsFunc(j.posted[id], func(p *harness.Attempt) bool {
		return slices.ContainsFunc(p.IDs, func(id string) bool { return open(j.passed[id], died) })
	})
}

// open says whether an ended process may have missed an acknowledgement. passed is zero if there was none.
func open(passed time.Time, died *process) bool {
	return passed.IsZero() || died.ran(passed, died.sealed()) < passedFor
}

// fromAnotherProcess is copy for two processes.
func (j *judge) fromAnotherProcess(first, second *receipt) (why, wrong string) {
	before, after := j.procs[first.owner], j.procs[second.owner]
	old, died := first, before
	if first.owner > second.owner { // the dead process's event arrived late
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
		return "", "the process never received the message"
	}
	return died.how, ""
}

// sentByAnother says whether another sender of the message had no answer yet at this 200.
func (j *judge) sentByAnother(id string, told *harness.Attempt) bool {
	for _, p := range j.posted[id] {
		if p.By != told.By && (!p.Ended || p.Answer.At.After(told.Answer.At)) {
			return true
		}
	}
	return false
}
