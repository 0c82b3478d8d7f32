//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// queueRig is an rtbeat with undeliverable batches on disk.
type queueRig struct {
	settings harness.Settings
	sink     *lumbersink.Sink
	ledger   *harness.Ledger
	config   string // of the stopped rtbeat
}

const (
	prettyID = "pretty-0"
	pretty   = "{\r\n  \"uuid\": \"" + prettyID + "\",\n  \"payload\": {\"text\": \"two\\nlines\"}\n}"
)

// newQueueRig stores batches in each form of a body, with 26 messages in all, and stops.
func newQueueRig(t *testing.T) *queueRig {
	t.Helper()
	sink := harness.StartSink(t, lumbersink.Refuse())
	r := &queueRig{sink: sink, ledger: harness.NewLedger(t), settings: harness.Settings{
		Sink: sink.Addr(), Home: t.TempDir(), Rtbeat: map[string]any{
			"include_headers": []string{"X-Tenant"}, "max_body_bytes": "256KiB", "shutdown_timeout": "2s",
			"durable": map[string]any{"path": "kept", "max_bytes": "64MiB"},
		},
	}}
	b := harness.StartBeat(t, r.settings)
	first := harness.NewBatch("first", 10)
	requirePersisted(t, r.ledger.Post(t.Context(), b.Addr, first), 10)
	again := slices.Concat(first[4:8], harness.NewBatch("again", 2)) // four of them are repeated
	requirePersisted(t, r.ledger.Post(t.Context(), b.Addr, again), 6)
	client := harness.NewClient(t)
	tenant := http.Header{"X-Tenant": {"a\"b"}}
	lines, array := harness.NewBatch("lines", 3), harness.NewBatch("array", 10)
	requirePersisted(t, r.ledger.PostBy(t.Context(), client, "http://"+b.Addr+"/in", tenant, array), 10)
	var body bytes.Buffer
	for _, m := range lines {
		body.Write(m.Raw)
		body.WriteByte('\n')
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.Addr+"/in", &body)
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-ndjson")
	requirePersisted(t, client.Do(req), 3)
	requirePersisted(t, client.PostTo(t.Context(), "http://"+b.Addr+"/in", nil, []byte("[\n "+pretty+"\n]")), 1)
	r.config = r.settings.WriteConfig(t, r.settings.Home)

	for _, command := range []string{"status", "export"} {
		result := r.run(t, command)
		require.NotZero(t, result.Code, command)
		require.Empty(t, result.Stdout, command)
		require.Contains(t, result.Stderr, "is in use: stop rtbeat first", command)
	}
	b.Stop()
	return r
}

const queuedBatches, queuedMessages = 5, 26

func (r *queueRig) run(t *testing.T, command string, args ...string) harness.Result {
	t.Helper()
	return harness.Command(t, r.settings.Home, "", append([]string{"queue", command, "-c", r.config}, args...)...)
}

// files are the files of the queue.
func (r *queueRig) files(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.settings.Home, "data", "kept", "*.db"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func TestQueueStatus(t *testing.T) {
	t.Parallel()
	r := newQueueRig(t)
	result := r.run(t, "status", "--json")
	require.Zero(t, result.Code, result.Stderr)
	var s struct {
		Path      string
		Batches   int
		Messages  int
		Bytes     int64
		Oldest    time.Time
		Age       *float64 `json:"oldest_age_seconds"`
		Files     int
		FileBytes int64 `json:"file_bytes"`
		MaxBytes  int64 `json:"max_bytes"`
		Share     float64
		Damaged   []string
	}
	require.NoError(t, json.Unmarshal([]byte(result.Stdout), &s))
	require.Equal(t, filepath.Join(r.settings.Home, "data", "kept"), s.Path)
	require.Equal(t, queuedBatches, s.Batches)
	require.Equal(t, queuedMessages, s.Messages)
	require.Greater(t, s.Bytes, int64(queuedMessages*100))
	require.WithinDuration(t, time.Now(), s.Oldest, time.Minute)
	require.NotNil(t, s.Age)
	require.Equal(t, len(r.files(t)), s.Files)
	require.Equal(t, int64(64<<20), s.MaxBytes)
	require.InDelta(t, float64(s.FileBytes)/float64(s.MaxBytes), s.Share, 1e-9)
	require.Empty(t, s.Damaged)

	result = r.run(t, "status")
	require.Zero(t, result.Code, result.Stderr)
	require.Regexp(t, `(?m)^batches +5$`, result.Stdout)
	require.Regexp(t, `(?m)^max_bytes +67108864 \(64 MiB\), 6\.2 % of it are taken$`, result.Stdout)

	result = harness.Command(t, t.TempDir(), "", "queue", "status", "--json", "--path", s.Path)
	require.Zero(t, result.Code, result.Stderr)
	require.NotContains(t, result.Stdout, "max_bytes", "no configuration says it")
	result = r.run(t, "export", "--path", "/absent")
	require.NotZero(t, result.Code)
	require.Contains(t, result.Stderr, "there is no queue in /absent; name its directory with --path")
}

// Another rtbeat accepts the exported batches, and its events equal those of the first one.
func TestQueueExport(t *testing.T) {
	t.Parallel()
	r := newQueueRig(t)
	result := r.run(t, "export")
	require.Zero(t, result.Code, result.Stderr)
	require.Contains(t, result.Stderr, "5 batches with 26 messages exported from ")
	require.Equal(t, result.Stdout, r.run(t, "export").Stdout, "nothing is deleted")

	other := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: other.Addr()})
	client, lines := harness.NewClient(t), 0
	for line := range strings.Lines(result.Stdout) {
		require.NotContains(t, line, "\r")
		var exported struct {
			UUID struct {
				Received time.Time         `json:"received"`
				ClientIP string            `json:"client_ip"`
				Headers  map[string]string `json:"headers"`
			} `json:"uuid"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &exported))
		keys := exported.UUID
		require.WithinDuration(t, time.Now(), keys.Received, time.Minute)
		require.Equal(t, "127.0.0.1", keys.ClientIP)
		if strings.Contains(line, "array-0") {
			require.Equal(t, map[string]string{"x-tenant": "a\"b"}, keys.Headers)
		}
		a := client.Post(t.Context(), b.Addr, []byte(line))
		require.Equal(t, http.StatusOK, a.Code, "%s", a)
		lines++
	}
	require.Equal(t, queuedBatches, lines)
	harness.Arrived(t, other, queuedMessages)
	b.Stop()

	harness.RecoverSink(r.sink)
	b = harness.StartBeat(t, r.settings)
	harness.Arrived(t, r.sink, queuedMessages)
	b.Stop()
	want, got := documentsOf(t, r.sink), documentsOf(t, other)
	require.NotEqual(t, want[prettyID].id, got[prettyID].id, "its line breaks are gone")
	require.JSONEq(t, want[prettyID].message, got[prettyID].message)
	delete(want, prettyID)
	delete(got, prettyID)
	require.Len(t, want, queuedMessages-1)
	require.Equal(t, want, got)
}

type document struct{ id, message string }

// documentsOf has the messages of a sink by their uuids. Each is there once.
func documentsOf(t *testing.T, sink *lumbersink.Sink) map[string]document {
	t.Helper()
	documents := make(map[string]document)
	for _, e := range harness.EventsOf(sink) {
		uuid, message, err := harness.MessageOf(e.Raw)
		require.NoError(t, err)
		id, err := harness.DocumentIDOf(e.Raw)
		require.NoError(t, err)
		require.NotContains(t, documents, uuid)
		var fields map[string]json.RawMessage // the output writes them in any order
		require.NoError(t, json.Unmarshal(message, &fields))
		message, err = json.Marshal(fields)
		require.NoError(t, err)
		documents[uuid] = document{id, string(message)}
	}
	return documents
}

// rtbeat refuses to start with a damaged queue. Its readable batches can be exported.
func TestQueueExportOfADamagedQueue(t *testing.T) {
	t.Parallel()
	r := newQueueRig(t)
	path := r.files(t)[0]
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	intact := r.run(t, "export").Stdout
	flipped := []byte(strings.ReplaceAll(string(whole), "lines-1", "lines-I"))
	require.NotEqual(t, whole, flipped)
	for name, c := range map[string]struct {
		file []byte
		lost int
	}{
		"a flipped byte":     {flipped, 1},
		"cut to its meta":    {whole[:8192], 5},
		"cut within a page":  {whole[:8192+100], 5},
		"nothing is left":    {nil, 5},
		"an older meta page": {append(make([]byte, 4096), whole[4096:]...), -1},
	} {
		require.NoError(t, os.WriteFile(path, c.file, 0o600))
		result := r.run(t, "export")
		require.NotZero(t, result.Code, name)
		require.Contains(t, result.Stderr, path+" is damaged: ", name)
		require.Contains(t, result.Stderr, "the readable batches were printed, and some may be missing", name)
		for line := range strings.Lines(result.Stdout) {
			require.Contains(t, intact, line, name)
		}
		if c.lost >= 0 {
			require.Equal(t, queuedBatches-c.lost, strings.Count(result.Stdout, "\n"), name)
		}
		result = r.run(t, "status")
		require.NotZero(t, result.Code, name)
		require.Contains(t, result.Stderr, path+" is damaged: ", name)
		result = harness.Command(t, r.settings.Home, "", "-e", "-c", r.config)
		require.NotZero(t, result.Code, name)
		require.Contains(t, result.Stderr, "Save the readable batches with", name)
	}
}
