//go:build monitoring || drill

// Package monitoring tests rules and dashboard: a real Prometheus scrapes the real binary while it is healthy, disturbed and
// stopped, and every query must show that.
package monitoring

import (
	"os"
	"testing"

	"github.com/txn2/rtbeat/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Run(m)) }
