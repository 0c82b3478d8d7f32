package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// binaryEnv names the variable with the program under test. Without it the program is built once for the run.
const binaryEnv = "RTBEAT_BINARY"

// RepoRoot is the module's directory; go test runs with the package's directory as its working directory.
const RepoRoot = "../.."

// binary is the absolute path of the program under test. Run has set it.
func binary() string { return os.Getenv(binaryEnv) }

// Run is the TestMain of a suite, with defers: it finds or builds the program, runs the tests, and looks for leaked goroutines.
func Run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rtbeat-e2e-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = resolveBinary(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "finding the program to test:", err)
		return 1
	}

	code := m.Run()
	// A leaked sender or sink would disturb the timing of the next run.
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "leaked goroutines:", err)
		return max(code, 1)
	}
	return code
}

// resolveBinary makes the variable an absolute path. If it is empty, it builds the program in dir.
func resolveBinary(dir string) error {
	path := binary()
	if path == "" {
		fmt.Fprintf(os.Stderr, "building rtbeat (minutes from an empty cache; set %s to skip it)\n", binaryEnv)
		path = filepath.Join(dir, "rtbeat")
		cmd := exec.Command("go", "build", "-o", path, ".") //nolint:noctx // ends with the run
		cmd.Dir, cmd.Env, cmd.Stderr = RepoRoot, append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("go build: %w", err)
		}
	}
	abs, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(abs)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", binaryEnv, err)
	}
	return os.Setenv(binaryEnv, abs)
}
