//go:build senders

package senders

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// requireEnv turns a missing program from a skipped test into a failed one.
const requireEnv = "RTBEAT_REQUIRE_SENDERS"

// find is where a program is. Debian keeps daemons in folders that are not in everybody's PATH, and what
// scripts/senders.sh builds is in build.
func find(t testing.TB, name, from string) string {
	t.Helper()
	build, err := filepath.Abs(filepath.Join(harness.RepoRoot, "build"))
	require.NoError(t, err)
	for _, place := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name, filepath.Join(build, name)} {
		if path, err := exec.LookPath(place); err == nil {
			return path
		}
	}
	if os.Getenv(requireEnv) != "" {
		require.FailNow(t, "no "+name+" here", "it comes with %s; scripts/senders.sh installs it", from)
	}
	t.Skipf("no %s here: it comes with %s; scripts/senders.sh installs it", name, from)
	return ""
}

// process is a program that runs beside a test.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  output
	done chan struct{}
}

// output is what a program has said so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// run starts a program and ends it with the test.
func run(t testing.TB, dir, path string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), path, args...), done: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	// Its own group, so that its workers end with it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 5 * time.Second
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("what %s said:\n%s", filepath.Base(path), p.out.String())
		}
	})
	return p
}

// stop asks the program to end, and insists.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
	}
	p.signal(syscall.SIGKILL)
	<-p.done
}

func (p *process) signal(s syscall.Signal) {
	if err := syscall.Kill(-p.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Errorf("%s: %v", s, err)
	}
}

// listens waits until somebody answers at an address.
func (p *process) listens(addr string) {
	p.t.Helper()
	harness.Await(p.t, harness.ArriveWithin, "a listener at "+addr, func() bool {
		select {
		case <-p.done:
			require.FailNow(p.t, "it has ended", "%s", p.out.String())
		default:
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}
