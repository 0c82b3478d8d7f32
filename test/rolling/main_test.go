//go:build rolling

// Package rolling restarts instances of the real binary behind a real HAProxy, with the configurations of docs/scaling.md,
// while senders post all the time.
package rolling

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/txn2/rtbeat/test/harness"
)

// page has the configurations.
var page = &harness.Page{File: "docs/scaling.md"}

func TestMain(m *testing.M) {
	code := harness.Run(m)
	all := harness.IsRequired() && flag.Lookup("test.run").Value.String() == ""
	if code == 0 && all {
		if idle := page.NotRun(); len(idle) > 0 {
			fmt.Fprintln(os.Stderr, "no test runs these blocks of", page.File+":", idle)
			code = 1
		}
	}
	os.Exit(code)
}

func TestEveryBlockIsMarked(t *testing.T) { page.RequireMarks(t) }
