//go:build unix

package harness

import (
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Program is another program that runs beside a test.
type Program struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  *Log
	done chan struct{}
}

// StartProgram starts a program and ends it with the test.
func StartProgram(t testing.TB, dir, path string, args ...string) *Program {
	t.Helper()
	p := &Program{t: t, cmd: exec.CommandContext(t.Context(), path, args...), out: newLog(), done: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	// A new process group: the signals reach its workers too.
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
			t.Logf("the output of %s:\n%s", filepath.Base(path), p.out)
		}
	})
	return p
}

// Said is the output so far.
func (p *Program) Said() string { return p.out.String() }

// Ends waits until the program ends by itself, and requires the exit code 0.
func (p *Program) Ends() {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(2 * ArriveWithin):
		require.FailNow(p.t, "it has not ended")
	}
	require.True(p.t, p.cmd.ProcessState.Success(), "%s", p.cmd.ProcessState)
}

// stop sends SIGTERM, and SIGKILL after ten seconds.
func (p *Program) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
	}
	p.signal(syscall.SIGKILL)
	<-p.done
}

func (p *Program) signal(s syscall.Signal) {
	if err := syscall.Kill(-p.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Errorf("%s: %v", s, err)
	}
}

// Listens waits until a connection to the address succeeds.
func (p *Program) Listens(addr string) {
	p.t.Helper()
	Await(p.t, ArriveWithin, "a listener at "+addr, func() bool {
		select {
		case <-p.done:
			require.FailNow(p.t, "it has ended", "%s", p.out)
		default:
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}
