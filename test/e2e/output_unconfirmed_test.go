//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// lineWriter collects rtbeat's stdout.
type lineWriter struct {
	mu   sync.Mutex
	text []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	return len(p), nil
}

func (w *lineWriter) lines() (lines [][]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for line := range bytes.Lines(bytes.Clone(w.text)) {
		if bytes.HasSuffix(line, []byte("\n")) {
			lines = append(lines, line)
		}
	}
	return lines
}

const unconfirmedWarning = "output.console does not say which events it gave up, and rtbeat.allow_unconfirmed_output is true"

// unconfirmed are the settings of an output that needs allow_unconfirmed_output.
func unconfirmed(more map[string]any) map[string]any {
	rtbeat := map[string]any{"timeout": 2, "allow_unconfirmed_output": true}
	maps.Copy(rtbeat, more)
	return rtbeat
}

func requireProcessed(t testing.TB, a harness.Answer, messages int) {
	t.Helper()
	require.NoError(t, a.Err)
	require.Equal(t, http.StatusOK, a.Code, "%s", a)
	require.Equal(t, "processed", a.Body.Ack, "%s", a)
	require.Equal(t, messages, a.Body.Messages, "%s", a)
}

func TestOutputUnconfirmedIsRefused(t *testing.T) {
	t.Parallel()
	for name, output := range map[string]map[string]any{
		"kafka":   {"hosts": []string{"127.0.0.1:1"}, "topic": "events", "required_acks": -1},
		"redis":   {"hosts": []string{"127.0.0.1:1"}, "key": "events"},
		"console": {"pretty": false},
		"discard": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			s := harness.Settings{Kind: name, Output: output}
			refusal := "output." + name + " does not say which events it gave up, and they would be lost. " +
				"Use output.logstash, output.elasticsearch or output.file, or set rtbeat.allow_unconfirmed_output to true"
			for _, command := range [][]string{nil, {"test", "config"}} {
				result := harness.Command(t, home, "", append(command, "-e", "-c", s.WriteConfig(t, home))...)
				require.Equal(t, 1, result.Code, result.Stderr)
				require.Contains(t, result.Stderr, refusal, "%v", command)
			}
			s.Rtbeat = unconfirmed(nil)
			result := harness.Command(t, home, "", "test", "config", "-e", "-c", s.WriteConfig(t, home))
			require.Equal(t, 0, result.Code, result.Stderr)
		})
	}
}

// A 200 says that the output has processed the events. An event that the output gave up is answered like the others.
func TestOutputUnconfirmed(t *testing.T) {
	t.Parallel()
	stdout := &lineWriter{}
	b := harness.StartBeat(t, harness.Settings{
		Kind: "console", Stdout: stdout, Output: map[string]any{"codec.format.string": "%{[rxtxMsg.uuid]} %{[rxtxMsg.must]}"},
		Rtbeat: unconfirmed(map[string]any{"admin": map[string]any{"host": "127.0.0.1", "port": freePort(t)}}),
	})
	require.Contains(t, b.Log.String(), unconfirmedWarning)
	c := harness.NewClient(t)
	batch := harness.Batch{message("a", map[string]any{"must": 1}), message("given-up", nil), message("b", map[string]any{"must": 2})}
	requireProcessed(t, c.Post(t.Context(), b.Addr, batch.Body()), 3)
	harness.Await(t, 5*time.Second, "the events on stdout", func() bool { return len(stdout.lines()) == 2 }) // through a pipe
	require.Equal(t, []string{"a 1\n", "b 2\n"}, texts(stdout.lines()))

	samples := b.Metrics()
	require.InDelta(t, 1, samples[`rtbeat_ack_mode{mode="processed"}`], 0)
	require.InDelta(t, 0, samples[`rtbeat_ack_mode{mode="delivered"}`], 0)
	require.InDelta(t, 1, samples["rtbeat_libbeat_output_events_dropped_total"], 0)
	var page struct {
		Instance struct {
			AckMode     string `json:"ack_mode"`
			Unconfirmed bool   `json:"unconfirmed_output"`
		}
	}
	harness.Await(t, 10*time.Second, "the ack mode on the status page", func() bool {
		require.NoError(t, json.Unmarshal(b.Get("/status.json").Raw, &page))
		return page.Instance.AckMode == "processed" && page.Instance.Unconfirmed
	})
	b.Stop()
}

// In durable mode a 200 says that the batch is on the disk, with any output.
func TestOutputUnconfirmedDurable(t *testing.T) {
	t.Parallel()
	stdout := &lineWriter{}
	b := harness.StartBeat(t, durably(t, harness.Settings{Kind: "console", Rtbeat: unconfirmed(nil), Stdout: stdout}))
	require.Contains(t, b.Log.String(), unconfirmedWarning)
	requirePersisted(t, harness.NewClient(t).Post(t.Context(), b.Addr, harness.NewBatch("durable", 5).Body()), 5)
	harness.Await(t, 10*time.Second, "the events on stdout", func() bool { return len(stdout.lines()) == 5 })
	b.Stop()
}

// With an output that confirms, the setting changes nothing.
func TestOutputFileWithUnconfirmedAllowed(t *testing.T) {
	t.Parallel()
	s := fileSettings(t.TempDir(), nil)
	s.Rtbeat = unconfirmed(nil)
	b := harness.StartBeat(t, s)
	require.NotContains(t, b.Log.String(), "allow_unconfirmed_output")
	requireDelivered(t, harness.NewClient(t).Post(t.Context(), b.Addr, harness.NewBatch("allowed", 5).Body()), 5)
	b.Stop()
}
