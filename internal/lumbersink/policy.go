package lumbersink

import "time"

// Policy decides about each window that is received. It has no state: several sinks may have the same one. The zero Policy is
// Immediate.
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

// Immediate acknowledges each window at once.
func Immediate() Policy { return Policy{kind: immediate} }

// Delay acknowledges each window d after its receipt.
func Delay(d time.Duration) Policy { return Policy{kind: delayed, delay: d} }

// Never receives, and acknowledges nothing until Release. As a stalled Logstash does, the sink sends keep-alives (ACK 0).
func Never() Policy { return Policy{kind: never} }

// CutAfter acknowledges windows at once until n more events have been received. It receives the window that reaches n, and
// closes the connection instead of acknowledging it. Then the policy is Immediate.
func CutAfter(n int) Policy { return Policy{kind: cutAfter, count: n} }

// Refuse closes every open connection, and closes each new one at once.
func Refuse() Policy { return Policy{kind: refuse} }
