//go:build senders

package senders

import (
	"testing"

	"github.com/txn2/rtbeat/test/harness"
)

// requireEnv turns a missing program from a skipped test into a failed one.
const requireEnv = "RTBEAT_REQUIRE_SENDERS"

// find is where a program is.
func find(t testing.TB, name, from string) string {
	t.Helper()
	return harness.FindProgram(t, requireEnv, name, from+"; scripts/senders.sh installs it")
}

// page is where the recipes are.
var page = &harness.Page{File: "docs/senders.md"}

// recipe is the code block of that name, with what is particular to the test.
func recipe(t testing.TB, name string, replace ...string) string {
	t.Helper()
	return page.Recipe(t, name, replace...)
}

func TestEveryBlockIsMarked(t *testing.T) { page.IsMarked(t) }
