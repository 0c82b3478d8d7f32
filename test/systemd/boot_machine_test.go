//go:build linux && systemd

package systemd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

const (
	// bootWithin bounds a boot, which takes three seconds. commandWithin bounds a command: the longest wait for a service.
	bootWithin, commandWithin = time.Minute, time.Minute
	// media is the folder of the packages in the machine.
	media = "/mnt"
)

// The units of the package, and the installed service's addresses.
const (
	service, socket = "rtbeat.service", "rtbeat.socket"
	intakeAt        = "127.0.0.1:8081"
)

// machine is a booted system.
type machine struct {
	t      testing.TB
	leader int // its init, in this system
	net    *os.File
}

// boot starts a system that ends with the test. Its writes are in memory only.
func boot(t testing.TB) *machine {
	t.Helper()
	bootable(t)
	current, older := debs(t)
	// systemd-nspawn locks it during its run, so that tests here run one after the other.
	nspawn := exec.CommandContext(context.WithoutCancel(t.Context()), "systemd-nspawn", "--boot", "--directory="+rootfs, "--volatile=overlay",
		"--machine=rtbeat-"+strconv.Itoa(os.Getpid()), "--register=no", "--keep-unit", "--link-journal=no", "--resolv-conf=off",
		"--timezone=off", "--private-network", "--console=pipe",
		"--bind-ro="+current+":"+media+"/current.deb", "--bind-ro="+older+":"+media+"/older.deb")
	var console bytes.Buffer
	nspawn.Stdout, nspawn.Stderr = &console, &console
	// A killed run ends the machine too: this is systemd-nspawn's signal for a shutdown.
	nspawn.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	nspawn.WaitDelay = 5 * time.Second
	started, done := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the signal arrives when this thread ends, not the process
		defer close(done)
		err := nspawn.Start()
		started <- err
		if err == nil {
			_ = nspawn.Wait()
		}
	}()
	require.NoError(t, <-started)

	m := &machine{t: t}
	t.Cleanup(func() {
		if m.leader != 0 {
			if t.Failed() {
				m.report()
			}
			_ = syscall.Kill(m.leader, syscall.SIGKILL) // its namespace ends with it
		} else {
			_ = nspawn.Process.Kill()
		}
		<-done
		if t.Failed() && m.leader == 0 {
			t.Logf("console:\n%s", &console)
		}
		_ = m.net.Close()
	})
	harness.Await(t, bootWithin, "an init", func() bool {
		select {
		case <-done:
			require.FailNow(t, "the system has not booted", "%s", &console)
		default:
		}
		m.leader = initOf(nspawn.Process.Pid)
		return m.leader != 0
	})
	// Not earlier: the init begins in the namespaces of this machine, and no command may run there.
	harness.Await(t, bootWithin, "namespaces of its own", func() bool {
		return !slices.ContainsFunc([]string{"mnt", "net", "pid", "uts", "ipc"}, m.shares)
	})
	harness.Await(t, bootWithin, "a system that runs", func() bool {
		state := m.try("systemctl", "is-system-running").out
		require.NotEqual(t, "degraded", state, "%s", m.try("systemctl", "--failed").out)
		return state == "running"
	})
	var err error
	m.net, err = os.Open(m.namespace("net"))
	require.NoError(t, err)
	require.Equal(t, "systemd-nspawn", m.run("systemd-detect-virt", "--container"))
	m.write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n") // the minimum of a system
	return m
}

// initOf finds the child that is process 1 in another namespace, or 0 if there is none yet.
func initOf(nspawn int) int {
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", nspawn, nspawn))
	for child := range strings.FieldsSeq(string(children)) {
		status, _ := os.ReadFile("/proc/" + child + "/status")
		for line := range strings.Lines(string(status)) {
			if pids := strings.Fields(line); len(pids) == 3 && pids[0] == "NSpid:" && pids[2] == "1" {
				pid, _ := strconv.Atoi(child)
				return pid
			}
		}
	}
	return 0
}

// namespace is the path of the machine's namespace in /proc.
func (m *machine) namespace(name string) string { return fmt.Sprintf("/proc/%d/ns/%s", m.leader, name) }

// shares says whether the machine is in the tests' namespace, or whether that is unknown.
//
// The tests' namespace is the calling thread's. /proc/self is the main thread, which inside may have left in the network of an
// earlier machine.
func (m *machine) shares(name string) bool {
	inner, err := os.Stat(m.namespace(name))
	if err != nil {
		return true
	}
	outer, err := os.Stat("/proc/thread-self/ns/" + name)
	return err != nil || os.SameFile(inner, outer)
}

// report logs the state of the service for a failed test.
func (m *machine) report() {
	m.t.Logf("systemctl status:\n%s", m.try("systemctl", "status", "--no-pager", "--lines=0", service, socket).out)
	// rtbeat's lines are long, with the same beginning.
	m.t.Logf("end of the journal:\n%s", m.try("sh", "-c", `journalctl --no-pager --lines=60 --output=short-precise |
		sed 's/{"log.level":"\([a-z]*\)".*"message":/\1 /' | cut -c 1-300`).out)
}

// result is the result of a command in the machine.
type result struct {
	out  string // both streams, trimmed
	code int
}

// try runs a command in the machine.
func (m *machine) try(command ...string) result { return m.with("", command...) }

// with is try with a standard input.
func (m *machine) with(stdin string, command ...string) result {
	m.t.Helper()
	// The test's context has ended when report runs.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.t.Context()), commandWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--target", strconv.Itoa(m.leader), "--all", "--"}, command...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "TERM=dumb"}
	cmd.Dir = "/"
	cmd.Stdin = strings.NewReader(stdin)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	require.NoError(m.t, ctx.Err(), "%v did not end; its output:\n%s", command, out)
	if cmd.ProcessState == nil {
		require.NoError(m.t, err)
	}
	return result{out: strings.TrimSpace(string(out)), code: cmd.ProcessState.ExitCode()}
}

// run runs a command in the machine, which must succeed.
func (m *machine) run(command ...string) string {
	m.t.Helper()
	r := m.try(command...)
	require.Zero(m.t, r.code, "%v: %s", command, r.out)
	return r.out
}

// write makes a file in the machine, with its folder. It belongs to root, as systemd and rtbeat require.
func (m *machine) write(path, text string) {
	m.t.Helper()
	r := m.with(text, "sh", "-c", `mkdir -p "$(dirname "$1")" && cat >"$1"`, "sh", path)
	require.Zero(m.t, r.code, "%s: %s", path, r.out)
}

// dropIn adds a drop-in to a unit.
func (m *machine) dropIn(unit, text string) {
	m.t.Helper()
	m.write("/etc/systemd/system/"+unit+".d/test.conf", text)
	m.run("systemctl", "daemon-reload")
}

// show returns a property of a unit.
func (m *machine) show(unit, property string) string {
	m.t.Helper()
	return m.run("systemctl", "show", "--value", "--property="+property, unit)
}

// await waits until a property of the service has a value.
func (m *machine) await(property, want string) {
	m.t.Helper()
	harness.Await(m.t, commandWithin, property+"="+want, func() bool { return m.show(service, property) == want })
}

// install installs a package.
func (m *machine) install(deb string) string {
	m.t.Helper()
	return m.run("dpkg", "--install", "--force-confold", media+"/"+deb)
}
