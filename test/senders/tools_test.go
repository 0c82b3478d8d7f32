//go:build senders

package senders

import (
	"testing"

	"github.com/txn2/rtbeat/test/harness"
)

// page has the recipes.
var page = &harness.Page{File: "docs/senders.md"}

// recipe is the code block of that name, with the test's addresses and paths.
func recipe(t testing.TB, name string, replace ...string) string {
	t.Helper()
	return page.Recipe(t, name, replace...)
}

func TestEveryBlockIsMarked(t *testing.T) { page.RequireMarks(t) }
