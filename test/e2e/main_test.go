//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

// run is TestMain with room for defers.
func run(m *testing.M) int {
	path, cleanup, err := resolveBinary(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e: no program to test:", err)
		return 1
	}
	defer cleanup()
	if err := os.Setenv(binaryEnv, path); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}

	code := m.Run()
	// A sender or a sink that outlives its test would make the next run's timing a matter of luck.
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: goroutines left behind:", err)
		return max(code, 1)
	}
	return code
}
