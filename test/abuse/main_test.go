//go:build abuse

// Package abuse attacks the rtbeat binary, while ordinary senders go on sending: they must hardly notice, nothing of
// theirs may be lost or answered 200 too early, and memory must stay within what the documentation says.
//
// rtbeat runs on a core of its own, in a memory cgroup of 512 MiB where one can be made. Senders, sink and attackers
// share the other core; attackers are processes of their own with a lower priority. "make abuse" runs it.
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
