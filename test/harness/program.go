//go:build unix

package harness

import (
	"bytes"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Program is one that runs beside a test.
type Program struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  Output
	done chan struct{}
}

// Output is what a program has said so far.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write takes what comes.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// StartProgram starts a program and ends it with the test.
func StartProgram(t testing.TB, dir, path string, args ...string) *Program {
	t.Helper()
	p := &Program{t: t, cmd: exec.CommandContext(t.Context(), path, args...), done: make(chan struct{})}
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

// Said is what the program has said so far.
func (p *Program) Said() string { return p.out.String() }

// stop asks the program to end, and insists.
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

// Listens waits until somebody answers at an address.
func (p *Program) Listens(addr string) {
	p.t.Helper()
	Await(p.t, ArriveWithin, "a listener at "+addr, func() bool {
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
