package harness

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Run is a TestMain with room for defers: it finds or builds the program, runs the tests, and looks for goroutines
// that outlived them.
func Run(m *testing.M) int {
	path, cleanup, err := resolveBinary(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "no program to test:", err)
		return 1
	}
	defer cleanup()
	if err := os.Setenv(binaryEnv, path); err != nil {
		fmt.Fprintln(os.Stderr, "harness:", err)
		return 1
	}

	code := m.Run()
	// A sender or a sink that outlives its test would make the next run's timing a matter of luck.
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines left behind:", err)
		return max(code, 1)
	}
	return code
}
