package lumbersink

import (
	"fmt"
	"time"
)

// Policy decides what happens to a window that was received. It is a value
// without state of its own: one may be given to several sinks. The zero Policy
// is Immediate.
type Policy struct {
	kind  policyKind
	delay time.Duration
	count int
}

type policyKind int

const (
	immediate policyKind = iota
	delayed
	never
	cutAfter
	refuse
)

// Immediate acknowledges each window as soon as it was received.
func Immediate() Policy { return Policy{kind: immediate} }

// Delay acknowledges each window d after it was received.
func Delay(d time.Duration) Policy { return Policy{kind: delayed, delay: d} }

// Never receives and does not acknowledge. The client is kept waiting by
// go-lumber's keep-alives (ACK 0), as by a stalled Logstash, until Release.
func Never() Policy { return Policy{kind: never} }

// CutAfter acknowledges windows at once until n more events have been received,
// counted from when the policy was set. The window that reaches n is recorded
// as received and its connection is closed instead of an acknowledgement. From
// then on the policy is Immediate.
func CutAfter(n int) Policy { return Policy{kind: cutAfter, count: n} }

// Refuse closes every open connection, and each new one as soon as it was
// accepted.
func Refuse() Policy { return Policy{kind: refuse} }

// String describes the policy for logs and test names.
func (p Policy) String() string {
	switch p.kind {
	case delayed:
		return fmt.Sprintf("delay %v", p.delay)
	case never:
		return "never"
	case cutAfter:
		return fmt.Sprintf("cut after %d", p.count)
	case refuse:
		return "refuse"
	default:
		return "immediate"
	}
}
