//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// sending is a running "rtbeat send".
type sending struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
}

func sendFiles(t *testing.T, args ...string) *sending {
	t.Helper()
	s := &sending{cmd: exec.CommandContext(t.Context(), os.Getenv("RTBEAT_BINARY"), append([]string{"send"}, args...)...)}
	s.cmd.Dir = t.TempDir() // without a configuration
	s.cmd.Stdout, s.cmd.Stderr = &s.stdout, &s.stderr
	require.NoError(t, s.cmd.Start())
	return s
}

// end waits for the exit code.
func (s *sending) end(t *testing.T, code int) string {
	t.Helper()
	_ = s.cmd.Wait()
	require.Equal(t, code, s.cmd.ProcessState.ExitCode(), "stdout:\n%s\nstderr:\n%s", &s.stdout, &s.stderr)
	return s.stdout.String() + s.stderr.String()
}

// numbered has messages with the numbers from begin to before end.
func numbered(begin, end int) string {
	var text strings.Builder
	for n := begin; n < end; n++ {
		fmt.Fprintf(&text, `{"n":%d}`+"\n", n)
	}
	return text.String()
}

// numbers counts the events of each number.
func numbers(t *testing.T, sink *lumbersink.Sink) map[int]int {
	t.Helper()
	counts := map[int]int{}
	for _, event := range sink.Events() {
		var e struct {
			RxtxMsg struct{ N *int } `json:"rxtxMsg"`
		}
		require.NoError(t, json.Unmarshal(event.Raw, &e))
		require.NotNil(t, e.RxtxMsg.N)
		counts[*e.RxtxMsg.N]++
	}
	return counts
}

// requireAll requires each number once or more, and returns the number of copies.
func requireAll(t *testing.T, sink *lumbersink.Sink, messages int) (copies int) {
	t.Helper()
	counts := numbers(t, sink)
	require.Len(t, counts, messages)
	for _, n := range counts {
		copies += n - 1
	}
	return copies
}

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.ndjson")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// The sink stalls, rtbeat dies with batches in flight, the sender is killed as well and goes on: everything arrives. Each of the two
// crashes may copy what was in flight.
func TestSendThroughStallsAndCrashes(t *testing.T) {
	t.Parallel()
	const messages, batch, parallel = 20_000, 200, 4
	sink := harness.StartSink(t, lumbersink.Immediate())
	home := t.TempDir()
	settings := harness.Settings{Sink: sink.Addr(), Home: home, Rtbeat: map[string]any{"port": freePort(t), "timeout": "1s", "stall_after": "500ms"}}
	beat := harness.StartBeat(t, settings)
	name := file(t, numbered(0, messages))
	args := []string{"--to", "http://" + beat.Addr, "--batch", fmt.Sprint(batch), "--parallel", fmt.Sprint(parallel), "--resume", name}
	s := sendFiles(t, args...)
	reach := func(part int) {
		harness.Await(t, harness.ArriveWithin, "a part of the messages", func() bool { return sink.Received() >= messages*part/5 })
	}

	reach(1)
	sink.SetPolicy(lumbersink.Never())
	harness.Pause(t.Context(), 2*time.Second) // for answers 503 and 504
	harness.RecoverSink(sink)
	reach(2)
	beat.Kill()
	beat = harness.StartBeat(t, settings)
	reach(3)
	require.NoError(t, s.cmd.Process.Kill())
	_ = s.cmd.Wait()
	require.Less(t, sink.Received(), messages*9/10, "too late to go on")
	s = sendFiles(t, args...)
	s.end(t, 0)
	copies := requireAll(t, sink, messages)
	require.LessOrEqual(t, copies, batch*parallel, "rtbeat forgot at its crash only")
	t.Logf("%d copies; %s", copies, &s.stdout)
	beat.Stop()
}

// The second run sends what is in flight again, with the same keys: rtbeat joins it.
func TestSendGoesOnWithoutCopies(t *testing.T) {
	t.Parallel()
	const messages = 3000
	sink := harness.StartSink(t, lumbersink.Immediate())
	beat := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"timeout": "30s"}})
	name := file(t, numbered(0, messages))
	args := []string{"--to", "http://" + beat.Addr, "--batch", "100", "--rate", "2000", "--resume", name}
	s := sendFiles(t, args...)
	harness.Arrived(t, sink, messages/4)
	sink.SetPolicy(lumbersink.Never())
	harness.Pause(t.Context(), time.Second/2) // so that batches are in flight
	require.NoError(t, s.cmd.Process.Kill())
	_ = s.cmd.Wait()
	require.Less(t, sink.Received(), messages*3/4, "too late to go on")

	s = sendFiles(t, args...)
	harness.Pause(t.Context(), time.Second/2)
	harness.RecoverSink(sink)
	s.end(t, 0)
	require.Zero(t, requireAll(t, sink, messages))
}

func TestSendOfPackedFiles(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	beat := harness.StartBeat(t, harness.Settings{Sink: sink.Addr()})
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	_, err := w.Write([]byte(numbered(0, 1000)))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	zw, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	array := "[\n" + strings.TrimSuffix(strings.ReplaceAll(numbered(1000, 2000), "\n", ",\n"), ",\n") + "]\n"
	names := []string{file(t, gz.String()), file(t, string(zw.EncodeAll([]byte(array), nil))), file(t, numbered(2000, 3000))}
	require.NoError(t, zw.Close())

	told := sendFiles(t, append(names, "--to", "http://"+beat.Addr)...).end(t, 0)
	require.Contains(t, told, `"messages": 3000`)
	require.Zero(t, requireAll(t, sink, 3000))
	told = sendFiles(t, append(names, "--to", "http://"+beat.Addr, "--resume")...).end(t, 0)
	require.Contains(t, told, `"messages": 0`)
	require.Equal(t, 3000, sink.Received())

	r := harness.Command(t, beat.Home, numbered(3000, 3010), "send", "--to", "http://"+beat.Addr, "-")
	require.Zero(t, r.Code, r.Stderr)
	require.Zero(t, requireAll(t, sink, 3010))
}

func TestSendNamesTheLineThatIsRefused(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	beat := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"auth": map[string]any{"bearer": map[string]any{"tokens": []string{authToken}}}}})
	bad := strings.Replace(numbered(0, 100), `{"n":76}`, `{"n":76,"n":77}`, 1)
	name, to := file(t, bad), "http://"+beat.Addr
	secret := "Authorization: Bearer " + authToken

	told := sendFiles(t, "--to", to, "--batch", "10", name).end(t, 1)
	require.Contains(t, told, "401 unauthorized")
	told = sendFiles(t, "--to", to, "--batch", "10", "--header", secret, name).end(t, 1)
	require.Contains(t, told, name+": message 77: 400 malformed_json")
	require.NotContains(t, told, authToken)

	require.NoError(t, os.WriteFile(name, []byte(numbered(0, 100)), 0o600))
	sendFiles(t, "--to", to, "--batch", "10", "--header", secret, "--resume", name).end(t, 0)
	require.Zero(t, requireAll(t, sink, 100))
}

func TestSendOnTheCommandLine(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	beat := harness.StartBeat(t, harness.Settings{Sink: sink.Addr()})
	name, to := file(t, numbered(0, 10)), "http://"+beat.Addr
	for want, args := range map[string][]string{
		"the URL must be http":   {name},
		"name a file":            {"--to", to},
		"unknown flag: --other":  {"--to", to, "--other", name},
		"--header must be":       {"--to", to, "--header", "x", name},
		"--batch and --parallel": {"--to", to, "--batch", "0", name},
		"nowhere.pem":            {"--to", to, "--ca", "nowhere.pem", name},
	} {
		require.Contains(t, sendFiles(t, args...).end(t, 2), want)
	}
	require.Contains(t, sendFiles(t, "--to", to, name+".other").end(t, 1), "no such file")

	s := sendFiles(t, "--to", to, name)
	harness.Pause(t.Context(), time.Second) // for the start
	begun := time.Now()
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	s.end(t, 3)
	require.Less(t, time.Since(begun), 5*time.Second)

	// Standard input that stays open.
	s = &sending{cmd: exec.CommandContext(t.Context(), os.Getenv("RTBEAT_BINARY"), "send", "--to", to, "-")}
	in, err := s.cmd.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	s.cmd.Stdout, s.cmd.Stderr = &s.stdout, &s.stderr
	require.NoError(t, s.cmd.Start())
	harness.Pause(t.Context(), time.Second) // for the start
	require.NoError(t, s.cmd.Process.Signal(os.Interrupt))
	s.end(t, 3)
}
