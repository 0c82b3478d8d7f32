//go:build rolling

// Package rolling restarts instances of the real binary behind a real HAProxy, with the configurations of docs/scaling.md,
// while senders post all the time.
package rolling

import (
	"os"
	"testing"

	"github.com/txn2/rtbeat/test/harness"
)

// page has the configurations.
var page = &harness.Page{File: "docs/scaling.md"}

func TestMain(m *testing.M) { os.Exit(page.Run(m)) }

func TestEveryBlockIsMarked(t *testing.T) { page.RequireMarks(t) }
