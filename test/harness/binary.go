package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// binaryEnv names the variable with the program under test. Without it the program is built once for the run.
const binaryEnv = "RTBEAT_BINARY"

// RepoRoot is where the module starts; go test runs with the package's directory as its working directory.
const RepoRoot = "../.."

// binary is the absolute path of the program under test. TestMain has seen to it that the variable holds one.
func binary() string { return os.Getenv(binaryEnv) }

// resolveBinary returns the program under test and what removes it again.
func resolveBinary(ctx context.Context) (path string, cleanup func(), err error) {
	if given := os.Getenv(binaryEnv); given != "" {
		abs, err := filepath.Abs(given)
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", binaryEnv, err)
		}
		if _, err := os.Stat(abs); err != nil {
			return "", nil, fmt.Errorf("%s: %w", binaryEnv, err)
		}
		return abs, func() {}, nil
	}

	dir, err := os.MkdirTemp("", "rtbeat-e2e-")
	if err != nil {
		return "", nil, err
	}
	cleanup = func() { _ = os.RemoveAll(dir) }
	path = filepath.Join(dir, "rtbeat")
	if err := build(ctx, path); err != nil {
		cleanup()
		return "", nil, err
	}
	return path, cleanup, nil
}

// build compiles the program. libbeat brings minutes of work to a cold build cache, so a line says now and then
// that something is happening.
func build(ctx context.Context, out string) error {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()

	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, ".")
	cmd.Dir = RepoRoot
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	fmt.Fprintf(os.Stderr, "building rtbeat (a first build takes minutes; set %s to skip it)\n", binaryEnv)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}

	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				return fmt.Errorf("go build: %w", err)
			}
			fmt.Fprintf(os.Stderr, "built rtbeat in %s\n", time.Since(started).Round(time.Second))
			return nil
		case <-tick.C:
			fmt.Fprintf(os.Stderr, "building rtbeat: %s\n", time.Since(started).Round(time.Second))
		}
	}
}
