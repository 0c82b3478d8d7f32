// Package harness is shared by the tests with the real binary: the process, its log, the senders, the sink, and the ledger, which
// compares the answers of senders with the events of the sink.
package harness

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
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
	// Addr is the bound address from the log: host and port, or the path of a Unix socket.
	Addr string
	// Health is the address of /livez, /readyz and /metrics: the admin listener if there is one, else Addr.
	Health string
	Log    *Log

	cmd  *exec.Cmd
	done chan struct{}
	// exitedAt and exitCode are valid once done is closed.
	exitedAt time.Time
	exitCode int
	silent   bool
}

var listeningOn = regexp.MustCompile(`(?:listening|health and metrics) on (?:https?://)?(/\S+|\S+:\d+)`)

// StartBeat runs the program with these settings and returns once it listens.
func StartBeat(t testing.TB, s Settings) *Beat {
	t.Helper()
	b := Launch(t, s)
	b.listen()
	return b
}

// Launch runs the program with these settings, and does not wait until it listens.
func Launch(t testing.TB, s Settings) *Beat {
	t.Helper()
	home := s.Home
	if home == "" {
		home = t.TempDir()
	}
	return launch(t, s, home, "-c", s.WriteConfig(t, home))
}

// StartBeatArgs is StartBeat for a test with its own config file.
func StartBeatArgs(t testing.TB, home string, args ...string) *Beat {
	t.Helper()
	b := launch(t, Settings{}, home, args...)
	b.listen()
	return b
}

func launch(t testing.TB, s Settings, home string, args ...string) *Beat {
	t.Helper()
	b := &Beat{t: t, Home: home, Log: newLog(), done: make(chan struct{})}
	args = slices.Concat([]string{"-e"}, pathArgs(home), args, s.Args)
	command := slices.Concat(s.Under, []string{binary()}, args)
	if len(s.Sockets) > 0 {
		command = slices.Concat([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`}, command) // only the shell knows the later pid
	}
	b.cmd = exec.CommandContext(t.Context(), command[0], command[1:]...)
	s.inherit(b.cmd)
	b.cmd.Env = append(b.cmd.Environ(), s.Env...)
	b.cmd.Dir = home
	b.cmd.Stdout, b.cmd.Stderr = s.Stdout, b.Log
	// A grandchild with the pipe must not block the test.
	b.cmd.WaitDelay = 5 * time.Second
	require.NoError(t, b.cmd.Start())
	if s.Started != nil {
		s.Started(b.cmd.Process)
	}
	go func() {
		defer close(b.done)
		_ = b.cmd.Wait()
		b.exitedAt = time.Now()
		b.exitCode = b.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		b.Kill()
		if t.Failed() && !b.silent {
			t.Logf("the end of rtbeat's log:\n%s", b.Log.Tail(60))
		}
	})
	return b
}

// listen waits until the process listens, and reads its addresses from the log.
func (b *Beat) listen() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	entry, ok := b.Log.WaitFor(ctx, b.done, "listening on ")
	require.True(b.t, ok, "rtbeat does not listen")
	match := listeningOn.FindStringSubmatch(entry.Message)
	require.NotNil(b.t, match, "no address in %q", entry.Message)
	b.Addr, b.Health = match[1], match[1]
	if entry, ok = b.Log.Find("health and metrics on "); ok { // the line comes first
		b.Health = listeningOn.FindStringSubmatch(entry.Message)[1]
	}
}

// Pid is the id of the process.
func (b *Beat) Pid() int { return b.cmd.Process.Pid }

// Done is closed when the process has ended.
func (b *Beat) Done() <-chan struct{} { return b.done }

// Forget keeps the log out of a failed test's output, for tests with many processes.
func (b *Beat) Forget() { b.silent = true }

// Terminate sends SIGTERM and returns the time of that.
func (b *Beat) Terminate() time.Time {
	b.t.Helper()
	at := time.Now()
	require.NoError(b.t, b.cmd.Process.Signal(syscall.SIGTERM))
	return at
}

// Signal sends another signal. Continue a stopped process before you wait for its end.
func (b *Beat) Signal(s syscall.Signal) {
	b.t.Helper()
	require.NoError(b.t, b.cmd.Process.Signal(s), "%s", s)
}

// Kill sends SIGKILL and waits for the end.
func (b *Beat) Kill() {
	b.t.Helper()
	if err := b.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		b.t.Errorf("kill: %v", err)
	}
	<-b.done
}

// WaitExit returns the exit code and the time of the exit. A process that runs longer fails the test.
func (b *Beat) WaitExit(within time.Duration) (code int, at time.Time) {
	b.t.Helper()
	select {
	case <-b.done:
	case <-time.After(within):
		require.FailNow(b.t, "rtbeat still runs", "after %s", within)
	}
	return b.exitCode, b.exitedAt
}

// Stop ends the process in good order.
func (b *Beat) Stop() {
	b.t.Helper()
	b.Terminate()
	code, _ := b.WaitExit(20 * time.Second)
	require.Zero(b.t, code, "exit code")
}

// Result is the result of a command.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Command runs the program to its end, for subcommands and for starts that must fail.
func Command(t testing.TB, home, stdin string, args ...string) Result {
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

// Await polls until the condition holds. what names the condition in the failure.
func Await(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !holds() {
		if time.Now().After(deadline) {
			require.FailNow(t, "timed out", "%s: not within %s", what, within)
		}
		Pause(t.Context(), 20*time.Millisecond)
	}
}
