//go:build e2e

// Package e2e tests the rtbeat binary from outside: a real process, a real lumberjack server, real signals.
//
// Every scenario ends with Ledger.Check, which compares the senders' answers with the events at the sink.
package e2e

import (
	"os"
	"testing"

	"github.com/txn2/rtbeat/test/harness"
)

func TestMain(m *testing.M) {
	os.Exit(harness.Run(m))
}
