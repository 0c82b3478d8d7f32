//go:build image

package image

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// openShiftUser is a user id as OpenShift assigns it. No file belongs to it.
const openShiftUser = 1000640000

func config(sink *lumbersink.Sink) string {
	return fmt.Sprintf("rtbeat:\n  host: 127.0.0.1\n  port: 0\n  timeout: 20\noutput.logstash.hosts: [%q]\n", sink.Addr())
}

// The strictest platforms allow a container no more than this.
func TestWithAReadOnlyRoot(t *testing.T) {
	sink := harness.StartSink(t, lumbersink.Immediate())
	c := start(t, options{uid: openShiftUser, readOnly: true, memory: 512 << 20, config: config(sink)})
	address := c.address()
	before := files(t, c.rootfs)

	for _, key := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		require.Equal(t, "0000000000000000", c.status(key), key)
	}
	require.Equal(t, "1", c.status("NoNewPrivs"))
	require.Equal(t, fmt.Sprintf("%[1]d %[1]d %[1]d %[1]d", openShiftUser), c.status("Uid"))
	require.Contains(t, c.stderr.String(), `GOMEMLIMIT is 461 MiB`, "nine tenths of the container's memory")

	require.Equal(t, http.StatusOK, get(t, address, "/livez").Code)
	require.Equal(t, http.StatusOK, get(t, address, "/readyz").Code)
	batch := harness.NewBatch("image", 100)
	answer := harness.NewClient(t).Post(t.Context(), address, batch.Body())
	require.Equal(t, http.StatusOK, answer.Code, "%s", answer)
	require.Equal(t, "delivered", answer.Body.Ack)
	require.Equal(t, 100, sink.Acked())

	require.Equal(t, before, files(t, c.rootfs))
	require.Empty(t, names(t, c.proc()+"/root/tmp"))
	require.ElementsMatch(t, []string{"meta.json", "rtbeat.lock"}, names(t, c.proc()+"/root/var/lib/rtbeat"))

	c.terminate()
	require.Zero(t, c.wait(10*time.Second), "exit code")
}

// kubectl delete pod, with a request in flight.
func TestTheStopSignalLetsRequestsFinish(t *testing.T) {
	sink := harness.StartSink(t, lumbersink.Never())
	c := start(t, options{uid: openShiftUser, readOnly: true, config: config(sink)})
	address := c.address()
	answers := make(chan harness.Answer, 1)
	client := harness.NewClient(t)
	go func() { answers <- client.Post(t.Context(), address, harness.NewBatch("drain", 1).Body()) }()
	harness.Arrived(t, sink, 1)

	c.terminate()
	harness.Await(t, 10*time.Second, "the port to close", func() bool { return get(t, address, "/livez").Err != nil })
	require.False(t, c.ended(), "it ended with a request in flight")
	harness.RecoverSink(sink)
	answer := <-answers
	require.Equal(t, http.StatusOK, answer.Code, "%s", answer)
	require.Zero(t, c.wait(10*time.Second), "exit code")
	require.Contains(t, c.stderr.String(), "stopped: 1 events delivered, 1 batches answered 200")
}

// Without a volume, the image's folder is used, by the image's user and by another user of group 0.
func TestWithoutAVolume(t *testing.T) {
	for _, uid := range []int{10001, openShiftUser} {
		t.Run(fmt.Sprint(uid), func(t *testing.T) {
			sink := harness.StartSink(t, lumbersink.Immediate())
			c := start(t, options{uid: uid, config: config(sink)})
			answer := harness.NewClient(t).Post(t.Context(), c.address(), harness.NewBatch("plain", 1).Body())
			require.Equal(t, http.StatusOK, answer.Code, "%s", answer)
			require.Contains(t, names(t, c.rootfs+"/var/lib/rtbeat"), "meta.json")
			c.terminate()
			require.Zero(t, c.wait(10*time.Second), "exit code")
		})
	}
}

// The image has a valid configuration, and its arguments are commands.
func TestCommand(t *testing.T) {
	c := start(t, options{uid: openShiftUser, readOnly: true, args: []string{"test", "config"}})
	require.Zero(t, c.wait(time.Minute), "exit code")
	require.Contains(t, c.stderr.String(), "Config OK")
}

// kubectl exec has the container's environment, and not the arguments of ENTRYPOINT. A command of the program's name alone finds the
// configuration and the folders, and leaves the running process and the disk alone.
func TestCommandsInTheRunningContainer(t *testing.T) {
	sink := harness.StartSink(t, lumbersink.Immediate())
	host, port, err := net.SplitHostPort(harness.DeadAddress(t))
	require.NoError(t, err)
	configuration := fmt.Sprintf("rtbeat:\n  host: %s\n  port: %s\noutput.logstash.hosts: [%q]\n", host, port, sink.Addr())
	c := start(t, options{uid: openShiftUser, readOnly: true, config: configuration})
	address := c.address()
	for command, want := range map[string]string{
		"test config":   "Config OK",
		"test output":   "talk to server... OK",
		"test intake":   "http://" + address + "/in with no credentials: OK",
		"export config": "data: /var/lib/rtbeat",
		"version":       "rtbeat version",
	} {
		out := must(t, "runc", append([]string{"--root", c.root, "exec", c.id, "rtbeat"}, strings.Fields(command)...)...)
		require.Contains(t, out, want, command)
	}
	out, err := command(nil, "runc", "--root", c.root, "exec", c.id, "rtbeat", "queue", "status")
	require.ErrorContains(t, err, "no queue in /var/lib/rtbeat/queue", out)
	require.ElementsMatch(t, []string{"meta.json", "rtbeat.lock"}, names(t, c.proc()+"/root/var/lib/rtbeat"))
	c.terminate()
	require.Zero(t, c.wait(10*time.Second), "exit code")
}

// An argument -c replaces the image's file.
func TestAnotherConfiguration(t *testing.T) {
	c := start(t, options{uid: openShiftUser, readOnly: true, args: []string{"export", "config", "-c", "rtbeat.reference.yml"}})
	require.Zero(t, c.wait(time.Minute), "exit code")
	require.Contains(t, c.stderr.String(), "max_in_flight_bytes")
}

func names(t testing.TB, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}
