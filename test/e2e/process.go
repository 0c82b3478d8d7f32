//go:build e2e

// Package e2e tests the rtbeat binary from outside: a real process, a real lumberjack server, real signals.
//
// The files without _test in their name are the harness (process, log, client, ledger); the tests are stories told
// with it. Every scenario ends with Ledger.Check, which compares what senders were told with what the sink has.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startWithin bounds a start; libbeat needs about a second, a loaded machine several.
const startWithin = 30 * time.Second

// Beat is one process of the program under test.
type Beat struct {
	t    testing.TB
	Home string
	// Addr is the bound address, read from the log.
	Addr string
	Log  *Log

	cmd  *exec.Cmd
	done chan struct{}
	// exitedAt and exitCode are valid once done is closed.
	exitedAt time.Time
	exitCode int
}

var listeningOn = regexp.MustCompile(`listening on (?:https?://)?(\S+:\d+)`)

// startBeat runs the program with these settings and returns once it listens.
func startBeat(t testing.TB, s Settings) *Beat {
	t.Helper()
	home := s.Home
	if home == "" {
		home = t.TempDir()
	}
	return startBeatArgs(t, home, "-c", s.writeConfig(t, home))
}

// startBeatArgs is startBeat for a story that brings its own config file.
func startBeatArgs(t testing.TB, home string, args ...string) *Beat {
	t.Helper()
	b := &Beat{t: t, Home: home, Log: newLog(), done: make(chan struct{})}
	b.cmd = exec.CommandContext(t.Context(), binary(), append(append([]string{"-e"}, pathArgs(home)...), args...)...)
	b.cmd.Dir = home
	b.cmd.Stderr = b.Log
	// A grandchild holding the pipe must not hold the test.
	b.cmd.WaitDelay = 5 * time.Second
	require.NoError(t, b.cmd.Start())
	go func() {
		defer close(b.done)
		_ = b.cmd.Wait()
		b.exitedAt = time.Now()
		b.exitCode = b.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		b.Kill()
		if t.Failed() {
			t.Logf("the end of rtbeat's log:\n%s", b.Log.Tail(60))
		}
	})

	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	entry, ok := b.Log.WaitFor(ctx, b.done, "listening on ")
	require.True(t, ok, "rtbeat did not say that it listens")
	match := listeningOn.FindStringSubmatch(entry.Message)
	require.NotNil(t, match, "no address in %q", entry.Message)
	b.Addr = match[1]
	return b
}

// Terminate sends SIGTERM and returns when it did.
func (b *Beat) Terminate() time.Time {
	b.t.Helper()
	at := time.Now()
	require.NoError(b.t, b.cmd.Process.Signal(syscall.SIGTERM))
	return at
}

// Kill ends the process without a chance to react, and waits until it is gone.
func (b *Beat) Kill() {
	b.t.Helper()
	if err := b.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		b.t.Errorf("kill: %v", err)
	}
	<-b.done
}

// WaitExit returns the exit code and the moment of the exit; a process that lives longer fails the test.
func (b *Beat) WaitExit(within time.Duration) (code int, at time.Time) {
	b.t.Helper()
	select {
	case <-b.done:
	case <-time.After(within):
		require.FailNow(b.t, "rtbeat is still running", "%s after it was waited for", within)
	}
	return b.exitCode, b.exitedAt
}

// Stop is the ordinary end of a story that is not about stopping.
func (b *Beat) Stop() {
	b.t.Helper()
	b.Terminate()
	code, _ := b.WaitExit(20 * time.Second)
	require.Zero(b.t, code, "exit code")
}

// Result is what a command left behind.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Lines is what stderr says, without empty lines.
func (r Result) Lines() []string {
	var lines []string
	for l := range strings.SplitSeq(r.Stderr, "\n") {
		if strings.TrimSpace(l) != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

// command runs the program to its end, for subcommands and for starts that must fail.
func command(t testing.TB, home, stdin string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(), append(args, pathArgs(home)...)...)
	cmd.Dir = home
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "%v did not end; stderr:\n%s", args, &stderr)
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return Result{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
}

// await polls until the condition holds; the message says what was waited for.
func await(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !holds() {
		if time.Now().After(deadline) {
			require.FailNow(t, "waited in vain", "%s: not within %s", what, within)
		}
		pause(t.Context(), 20*time.Millisecond)
	}
}
