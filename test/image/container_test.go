//go:build image

package image

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// options are how a platform runs the image. The group is always 0.
type options struct {
	uid int
	// readOnly makes the container's files read-only, except for a tmpfs at /tmp and at /var/lib/rtbeat.
	readOnly bool
	memory   int64
	config   string
	args     []string
}

// container is a container, during its run and after.
type container struct {
	t      testing.TB
	id     string
	root   string // runc's state folder
	rootfs string
	stderr *buffer
	done   chan struct{}
	code   int // valid when done is closed
}

// start unpacks the image. runc runs it on the machine's network, without capabilities and without a way to get one.
func start(t testing.TB, o options) *container {
	t.Helper()
	bundle := unpack(t, platforms()[0])
	configure(t, bundle, o)
	c := &container{
		t: t, id: "rtbeat-" + strconv.Itoa(os.Getpid()) + "-" + filepath.Base(filepath.Dir(bundle)) + strconv.FormatInt(time.Now().UnixNano(), 36),
		root: t.TempDir(), rootfs: filepath.Join(bundle, "rootfs"), stderr: &buffer{}, done: make(chan struct{}),
	}
	cmd := exec.CommandContext(t.Context(), "runc", "--root", c.root, "run", "--bundle", bundle, c.id)
	cmd.Stdout, cmd.Stderr = c.stderr, c.stderr
	cmd.WaitDelay = 5 * time.Second
	require.NoError(t, cmd.Start())
	go func() {
		defer close(c.done)
		_ = cmd.Wait()
		c.code = cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		_, _ = command(nil, "runc", "--root", c.root, "delete", "--force", c.id) // normally it has ended already
		<-c.done
		if t.Failed() {
			t.Logf("the container's output:\n%s", c.stderr)
		}
	})
	return c
}

// configure sets config.json as a kubelet would.
func configure(t testing.TB, bundle string, o options) {
	t.Helper()
	path := filepath.Join(bundle, "config.json")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var spec map[string]any
	require.NoError(t, json.Unmarshal(text, &spec))
	part := func(name string) map[string]any {
		m, ok := spec[name].(map[string]any)
		require.True(t, ok, name)
		return m
	}
	process := part("process")
	process["terminal"] = false
	process["rlimits"] = []any{}
	process["capabilities"] = map[string]any{}
	process["noNewPrivileges"] = true
	process["user"] = map[string]any{"uid": o.uid, "gid": 0}
	given, ok := process["args"].([]any)
	require.True(t, ok)
	for _, arg := range o.args {
		given = append(given, arg)
	}
	process["args"] = given

	part("root")["readonly"] = o.readOnly
	mounts, ok := spec["mounts"].([]any)
	require.True(t, ok)
	mount := func(kind, source, at string, options ...string) {
		mounts = append(mounts, map[string]any{"type": kind, "source": source, "destination": at, "options": options})
	}
	if o.readOnly {
		mount("tmpfs", "tmpfs", "/tmp", "nosuid", "nodev", "noexec", "mode=1777", "size=64m")
		mount("tmpfs", "tmpfs", "/var/lib/rtbeat", "nosuid", "nodev", "noexec", "mode=0777", "size=16m")
	}
	if o.config != "" {
		file := filepath.Join(t.TempDir(), "rtbeat.yml")
		require.NoError(t, os.WriteFile(file, []byte(o.config), 0o600))
		require.NoError(t, os.Chmod(file, 0o444))
		mount("bind", file, "/etc/rtbeat/rtbeat.yml", "bind", "ro")
	}
	spec["mounts"] = mounts

	linux := part("linux")
	// The machine's network has the test's sink and sender.
	linux["namespaces"] = []any{map[string]any{"type": "pid"}, map[string]any{"type": "ipc"}, map[string]any{"type": "mount"}, map[string]any{"type": "uts"}}
	if o.memory > 0 {
		linux["resources"] = map[string]any{"memory": map[string]any{"limit": o.memory}}
	}
	text, err = json.Marshal(spec)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text, 0o600))
}

// wait returns the exit code.
func (c *container) wait(within time.Duration) int {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(within):
		require.FailNow(c.t, "the container is still running", "after %s", within)
	}
	return c.code
}

// address waits until the log says that rtbeat listens, and returns the port on this machine.
func (c *container) address() string {
	c.t.Helper()
	listening := regexp.MustCompile(`"listening on (?:https?://)?[^"]*:(\d+)"`)
	var port string
	harness.Await(c.t, time.Minute, "listening", func() bool {
		if match := listening.FindStringSubmatch(c.stderr.String()); match != nil {
			port = match[1]
		}
		return port != "" || c.ended()
	})
	require.NotEmpty(c.t, port, "it ended with %d", c.code)
	return "127.0.0.1:" + port
}

func (c *container) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// terminate sends the image's stop signal to the first process, as a kubelet does.
func (c *container) terminate() {
	c.t.Helper()
	must(c.t, "runc", "--root", c.root, "kill", c.id, "TERM")
}

// proc is the process's folder in /proc.
func (c *container) proc() string {
	c.t.Helper()
	var state struct{ Pid int }
	require.NoError(c.t, json.Unmarshal([]byte(must(c.t, "runc", "--root", c.root, "state", c.id)), &state))
	return "/proc/" + strconv.Itoa(state.Pid)
}

// status is one line of the process's status in /proc.
func (c *container) status(key string) string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.proc(), "status"))
	require.NoError(c.t, err)
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, found := strings.CutPrefix(line, key+":"); found {
			return strings.Join(strings.Fields(rest), " ")
		}
	}
	require.FailNow(c.t, "not in status", key)
	return ""
}

// get requests one of the process's pages.
func get(t testing.TB, address, path string) harness.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, http.NoBody)
	require.NoError(t, err)
	return harness.NewClient(t).Do(request)
}

// buffer receives the output of two pipes.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
