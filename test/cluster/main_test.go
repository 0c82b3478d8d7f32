//go:build cluster

// Package cluster runs the manifests and the chart on a real Kubernetes: two nodes with a kubelet, containerd and kube-proxy each,
// and a control plane. Senders and the Logstash stand-in are in the test, so a ledger compares their answers and events.
//
// The test program runs itself again in new namespaces, and everything else is a child of that second process. None of it reaches
// a network outside, and the kernel ends all of it with the second process.
//
// "make cluster RUN=TestDrain" runs one test. TestMain is the beginning, start_test.go makes the cluster, kubectl_test.go installs
// rtbeat in a namespace for each test, and sender_test.go posts to it.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/txn2/rtbeat/test/harness"
)

const (
	// insideEnv is set in the second process, to its folder.
	insideEnv = "RTBEAT_CLUSTER_WORK"
	// Not /tmp: containerd needs a file system that overlayfs can use.
	workParent = "/var/tmp"
	workPrefix = "rtbeat-cluster-"
)

func TestMain(m *testing.M) {
	if work := os.Getenv(insideEnv); work != "" {
		os.Exit(inside(m, work))
	}
	if why := lacking(); why != "" {
		fmt.Fprintln(os.Stderr, "cluster: not run:", why)
		if harness.IsRequired() {
			os.Exit(1)
		}
		return
	}
	if err := outside(); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// lacking names a missing requirement, if there is one.
func lacking() string {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return "only root on Linux can make the namespaces"
	}
	if _, err := os.Stat(filepath.Join(harness.RepoRoot, "build", "kubernetes", "kubelet")); err != nil {
		return "no Kubernetes here: make cluster builds it"
	}
	return ""
}

// outside runs this program again in namespaces of its own, and then looks for what it left behind.
func outside() error {
	if err := removeKilled(); err != nil {
		return err
	}
	work, err := os.MkdirTemp(workParent, workPrefix)
	if err != nil {
		return err
	}
	before, err := takeStock(work)
	if err != nil {
		return err
	}
	cmd := exec.Command("unshare", append([]string{ //nolint:noctx // it ends with the tests
		"--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
		// The shell is process 1: it gets the orphans, whose end this program would not notice.
		"sh", "-c", `"$0" "$@"; exit $?`, os.Args[0],
	}, os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), insideEnv+"="+work)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// A killed `go test` takes the cluster along. The kernel watches the thread.
	runtime.LockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := cmd.Start(); err != nil {
		return err
	}
	defer context.AfterFunc(interrupted, func() { _ = cmd.Process.Kill() })()
	failed := cmd.Wait()
	return errors.Join(failed, remove(work), before.compare(work))
}

// inside starts the cluster, and runs the tests.
func inside(m *testing.M, work string) int {
	if err := start(work); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		dumpLogs(work)
		return 1
	}
	code := page.Run(m)
	if code != 0 {
		dumpLogs(work)
	}
	return code
}
