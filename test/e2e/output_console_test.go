//go:build e2e

package e2e

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// reader is who reads rtbeat's stdout.
type reader struct {
	mu   sync.Mutex
	text []byte
}

func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, p...)
	return len(p), nil
}

func (r *reader) lines() (lines [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range bytes.Lines(bytes.Clone(r.text)) {
		if bytes.HasSuffix(line, []byte("\n")) {
			lines = append(lines, line)
		}
	}
	return lines
}

// stdout is a pipe here: what rtbeat wrote before its 200 may take a moment to come out of it.
func TestOutputConsole(t *testing.T) {
	t.Parallel()
	stdout := &reader{}
	b := harness.StartBeat(t, harness.Settings{Kind: "console", Rtbeat: quick, Output: map[string]any{"pretty": false}, Stdout: stdout})
	require.Contains(t, b.Log.String(), "less than it may seem: output.console is for looking at events")
	c := harness.NewClient(t)
	batch := harness.NewBatch("console", 30)
	requireDelivered(t, c.Post(t.Context(), b.Addr, batch.Body()), 30)
	harness.Await(t, 5*time.Second, "the events on stdout", func() bool { return len(stdout.lines()) == 30 })
	require.Equal(t, ids(batch), idsOf(t, stdout.lines()...))
	b.Stop()
}

func TestOutputDiscardIsRefused(t *testing.T) {
	t.Parallel()
	require.Contains(t, refusesToStart(t, harness.Settings{Kind: "discard"}), "output.discard throws every event away")
}
