//go:build e2e

// Package e2e tests the rtbeat binary from outside: a real process, a real lumberjack server, real signals.
//
// The tests are stories told with the harness. Every scenario ends with Ledger.Check, which compares what senders were
// told with what the sink has.
package e2e

import (
	"os"
	"testing"

	"github.com/txn2/rtbeat/test/harness"
)

func TestMain(m *testing.M) {
	os.Exit(harness.Run(m))
}
