// Package harness is what the tests with the real binary share: the process, its log, the senders, the sink, and the
// ledger that compares what senders were told with what the sink has.
package harness

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
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
	// Addr is the bound address, read from the log: host and port, or the path of a Unix socket.
	Addr string
	// Health is where /livez, /readyz and /metrics are: the admin listener if there is one, else Addr.
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

// StartBeatArgs is StartBeat for a story that brings its own config file.
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
	b.cmd = exec.CommandContext(t.Context(), binary(), args...)
	if len(s.Sockets) > 0 {
		b.cmd = withSockets(t.Context(), s.Sockets, args)
	}
	b.cmd.Env = append(b.cmd.Environ(), s.Env...)
	b.cmd.Dir = home
	b.cmd.Stdout, b.cmd.Stderr = s.Stdout, b.Log
	// A grandchild holding the pipe must not hold the test.
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
	require.True(b.t, ok, "rtbeat did not say that it listens")
	match := listeningOn.FindStringSubmatch(entry.Message)
	require.NotNil(b.t, match, "no address in %q", entry.Message)
	b.Addr, b.Health = match[1], match[1]
	if entry, ok = b.Log.Find("health and metrics on "); ok { // the line comes first
		b.Health = listeningOn.FindStringSubmatch(entry.Message)[1]
	}
}

// withSockets is a command that inherits sockets. Which process they are for only the shell knows that becomes it.
func withSockets(ctx context.Context, sockets []Socket, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, binary()}, args...)...)
	names := make([]string, len(sockets))
	for i, s := range sockets {
		names[i] = s.Name
		cmd.ExtraFiles = append(cmd.ExtraFiles, s.File)
	}
	cmd.Env = append(cmd.Environ(), "LISTEN_FDS="+strconv.Itoa(len(sockets)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	return cmd
}

// RunWithSockets runs the program to its end, for a start that must fail, and returns its log.
func RunWithSockets(t testing.TB, s Settings) (code int, log string) {
	t.Helper()
	home := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	cmd := withSockets(ctx, s.Sockets, append(append([]string{"-e"}, pathArgs(home)...), "-c", s.WriteConfig(t, home)))
	cmd.Dir = home
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	require.NoError(t, ctx.Err(), "it did not end:\n%s", out)
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// Pid is the id of the process.
func (b *Beat) Pid() int { return b.cmd.Process.Pid }

// Done is closed when the process has ended.
func (b *Beat) Done() <-chan struct{} { return b.done }

// Forget keeps the log out of a failed test's output, where many processes had their turn.
func (b *Beat) Forget() { b.silent = true }

// Terminate sends SIGTERM and returns when it did.
func (b *Beat) Terminate() time.Time {
	b.t.Helper()
	at := time.Now()
	require.NoError(b.t, b.cmd.Process.Signal(syscall.SIGTERM))
	return at
}

// Signal sends any other signal. A stopped process must be continued before it can be waited for.
func (b *Beat) Signal(s syscall.Signal) {
	b.t.Helper()
	require.NoError(b.t, b.cmd.Process.Signal(s), "%s", s)
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

// Await polls until the condition holds; the message says what was waited for.
func Await(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !holds() {
		if time.Now().After(deadline) {
			require.FailNow(t, "waited in vain", "%s: not within %s", what, within)
		}
		Pause(t.Context(), 20*time.Millisecond)
	}
}
