//go:build browser

// Package browser tests the status page with headless Chromium, against the real binary and a real lumberjack server.
package browser

import (
	"os"
	"testing"

	"github.com/txn2/rtbeat/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Run(m)) }
