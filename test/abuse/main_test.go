//go:build abuse

// Package abuse attacks the rtbeat binary while good senders send. They must hardly notice: no message of theirs may be lost, or
// answered 200 too early. Memory must stay within the documented bound.
//
// rtbeat runs on its own core, in a memory cgroup of 512 MiB if one can be made. TestLimits has smaller ones. Senders, sink and
// attackers share the other core. Attackers are separate processes with a lower priority. "make abuse" runs it.
package abuse

import (
	"fmt"
	"os"
	"testing"

	"github.com/txn2/rtbeat/test/harness"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(attackerEnv); name != "" { // this process is the attacker
		os.Exit(attackerMain(name))
	}
	code := harness.Run(m)
	fmt.Fprint(os.Stderr, "\n", report.String())
	os.Exit(code)
}
