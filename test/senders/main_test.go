//go:build senders

// Package senders runs programs in front of rtbeat, with the configurations of docs/senders.md, against the real binary and a
// real lumberjack server.
package senders

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/txn2/rtbeat/test/harness"
)

func TestMain(m *testing.M) {
	code := harness.Run(m)
	all := harness.IsRequired() && flag.Lookup("test.run").Value.String() == ""
	if code == 0 && all {
		// A recipe with a mark and without a test would become wrong unnoticed.
		if idle := page.NotRun(); len(idle) > 0 {
			fmt.Fprintln(os.Stderr, "no test runs these recipes of", page.File+":", idle)
			code = 1
		}
	}
	os.Exit(code)
}
