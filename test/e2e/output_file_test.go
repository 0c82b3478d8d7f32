//go:build e2e

package e2e

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

func fileSettings(dir string, more map[string]any) harness.Settings {
	output := map[string]any{"path": dir, "filename": "events"}
	maps.Copy(output, more)
	return harness.Settings{Kind: "file", Rtbeat: quick, Output: output}
}

// linesIn are the lines of all files in a directory.
func linesIn(t testing.TB, dir string) (all [][]byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "events*"))
	require.NoError(t, err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range bytes.Lines(content) {
			all = append(all, line)
		}
	}
	return all
}

// Each 200 has all its lines on the disk, over many rotations.
func TestOutputFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := harness.StartBeat(t, fileSettings(dir, map[string]any{"rotate_every_kb": 20, "number_of_files": 1000}))
	require.NotContains(t, b.Log.String(), "made and tested for logstash")
	c := harness.NewClient(t)
	var sent []harness.Batch
	for range 40 {
		batch := harness.NewBatch("file-"+string(rune('A'+len(sent))), 20)
		sent = append(sent, batch)
		requireDelivered(t, c.Post(t.Context(), b.Addr, batch.Body()), 20)
		require.Subset(t, idsOf(t, linesIn(t, dir)...), ids(batch), "on the disk before the 200")
	}
	files, err := filepath.Glob(filepath.Join(dir, "events*"))
	require.NoError(t, err)
	require.Greater(t, len(files), 5, "rotated")
	require.ElementsMatch(t, ids(sent...), idsOf(t, linesIn(t, dir)...))
	b.Stop()
}

// The output drops an event that the codec cannot encode. Its senders are told, and no others. A retry is tried again.
func TestOutputFileCannotEncode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := harness.StartBeat(t, fileSettings(dir, map[string]any{"codec.format.string": "%{[rxtxMsg.uuid]} %{[rxtxMsg.must]}"}))
	c := harness.NewClient(t)
	good := harness.Batch{message("a", map[string]any{"must": 1}), message("b", map[string]any{"must": 2})}
	mixed := harness.Batch{good[0], message("bad", nil), message("c", map[string]any{"must": 3})}

	requireDelivered(t, c.Post(t.Context(), b.Addr, good.Body()), 2)
	a := c.Post(t.Context(), b.Addr, mixed.Body())
	requireRejected(t, a, 3, 1)
	require.Equal(t, 1, a.Body.Coalesced, "%s", a)
	a = c.Post(t.Context(), b.Addr, mixed.Body())
	requireRejected(t, a, 3, 1)
	require.Equal(t, 2, a.Body.Coalesced, "only undelivered messages are sent again: %s", a)
	requireDelivered(t, c.Post(t.Context(), b.Addr, harness.Batch{mixed[2]}.Body()), 1)
	require.Equal(t, []string{"a 1\n", "b 2\n", "c 3\n"}, texts(linesIn(t, dir)))
	require.Equal(t, 2, int(b.Metric("rtbeat_events_rejected_total")))
	require.Equal(t, 3, int(b.Metric("rtbeat_events_acked_total")))
	require.Equal(t, 2, b.Answers(502, "output_rejected"))
	b.Stop()
	entry, ok := b.Log.Find("stopped: ")
	require.True(t, ok)
	require.Contains(t, entry.Message, "3 events delivered")
}

func texts(lines [][]byte) (texts []string) {
	for _, line := range lines {
		texts = append(texts, string(line))
	}
	return slices.Sorted(slices.Values(texts))
}
