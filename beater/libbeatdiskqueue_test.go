package beater

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/paths"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/diskqueue"
)

func TestLibbeatDiskQueueIsDurableMode(t *testing.T) {
	const (
		taken = "queue.disk means durable mode: its path and max_size are read as rtbeat.durable.path and rtbeat.durable.max_bytes"
		stand = "queue.disk.path and queue.disk.max_size stand for rtbeat.durable.path and rtbeat.durable.max_bytes: "
		limit = "queue.disk.max_size is missing or 0, which is no limit for libbeat; write the largest size of the queue on disk, such as 10GiB"
		both  = "both rtbeat.durable and queue.disk are configured; leave queue.disk out"
	)
	for yaml, test := range map[string]struct {
		want     diskqueue.Settings
		warnings []string
		err      string
	}{
		"queue.disk.max_size: 1GiB":                {want: diskqueue.Settings{Enabled: true, Path: "queue", MaxBytes: 1 << 30}, warnings: []string{taken}},
		"queue.disk: {max_size: 1GB, path: /q}":    {want: diskqueue.Settings{Enabled: true, Path: "/q", MaxBytes: 1e9}, warnings: []string{taken}},
		"queue.disk: {max_size: 67108864, path: }": {want: diskqueue.Settings{Enabled: true, Path: "queue", MaxBytes: 64 << 20}, warnings: []string{taken}},
		"queue.disk: {max_size: 1GiB, segment_size: 1B, read_ahead: -1, encryption.enabled: true}": {
			want: diskqueue.Settings{Enabled: true, Path: "queue", MaxBytes: 1 << 30},
			warnings: []string{
				taken, "queue.disk.encryption has no effect in durable mode; remove it", "queue.disk.read_ahead has no effect in durable mode; remove it",
				"queue.disk.segment_size has no effect in durable mode; remove it",
			},
		},
		"queue.disk.path: /q":         {err: limit},
		"queue.disk.max_size: 0":      {err: limit},
		"queue.disk.max_size:":        {err: limit},
		"queue.disk:":                 {err: limit},
		"queue.disk.max_size: 10MB":   {err: stand + "rtbeat.durable.max_bytes is 10000000; it must be at least 4 times rtbeat.max_body_bytes, which is 16777216. Raise the first, or lower the second"},
		"queue.disk.max_size: -1":     {err: stand + "rtbeat.durable.max_bytes is -1; it must be at least 4 times rtbeat.max_body_bytes, which is 16777216. Raise the first, or lower the second"},
		"queue.disk.max_size: plenty": {err: "reading queue.disk: \"plenty\" is no size; write bytes as a number, or with a unit such as 32MiB accessing 'queue.disk.max_size' (source:'test')"},
		"queue.disk: {max_size: 1GiB}\nrtbeat.durable.enabled: true":  {err: both},
		"queue.disk: {max_size: 1GiB}\nrtbeat.durable.enabled: false": {err: both},
		"queue.disk: {max_size: 1GiB}\nrtbeat.durable.path: /q":       {err: both},
	} {
		root, err := conf.NewConfigWithYAML([]byte(yaml), "test")
		require.NoError(t, err, yaml)
		section := conf.NewConfig()
		if root.HasField("rtbeat") {
			section, err = root.Child("rtbeat", -1)
			require.NoError(t, err, yaml)
		}
		require.NoError(t, section.SetString("host", -1, "127.0.0.1"))
		c, warnings, err := LoadConfig(section, root, "queue.disk")
		if test.err != "" {
			require.EqualError(t, err, test.err, yaml)
			continue
		}
		require.NoError(t, err, yaml)
		require.Equal(t, test.want, c.Durable, yaml)
		require.Equal(t, test.warnings, warnings, yaml)
		c, warnings, err = LoadConfig(section, root, "")
		require.NoError(t, err)
		require.False(t, c.Durable.Enabled)
		require.Empty(t, warnings)
	}
}

// copyLibbeatQueue copies a directory that libbeat's disk queue wrote with ten events in it. The directories are recorded, and not
// written by the test, because libbeat's queue has a data race in Close (diskqueue/core_loop.go, handleShutdown).
func copyLibbeatQueue(t *testing.T, dir, recorded string) {
	t.Helper()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "diskqueue", recorded))))
}

// inData sets path.data to a new directory.
func inData(t *testing.T) string {
	t.Helper()
	before := paths.Paths.Data
	t.Cleanup(func() { paths.Paths.Data = before })
	paths.Paths.Data = t.TempDir()
	return paths.Paths.Data
}

func TestEventsOfLibbeatsDiskQueueAreNotForgotten(t *testing.T) {
	for name, test := range map[string]struct {
		recorded  string
		change    func(t *testing.T, dir string)
		isRefused bool
	}{
		"nothing is left": {recorded: "0-left"},
		"one is left":     {recorded: "1-left", isRefused: true},
		"all are left":    {recorded: "10-left", isRefused: true},
		"garbage as state": {recorded: "1-left", isRefused: true, change: func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "state.dat"), []byte("garbage that is longer than a position"), 0o600))
		}},
		"an empty state": {recorded: "1-left", isRefused: true, change: func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.Truncate(filepath.Join(dir, "state.dat"), 0))
		}},
		"no state": {recorded: "1-left", isRefused: true, change: func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.Remove(filepath.Join(dir, "state.dat")))
		}},
		"other files": {recorded: "0-left", change: func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.seg"), make([]byte, 100), 0o600))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := config.Default()
			for _, dir := range []string{filepath.Join(inData(t), "diskqueue"), filepath.Join(inData(t), "mine")} {
				paths.Paths.Data = filepath.Dir(dir)
				c.Durable.Path = "mine"
				copyLibbeatQueue(t, dir, test.recorded)
				if test.change != nil {
					test.change(t, dir)
				}
				err := checkLibbeatEvents(c)
				if !test.isRefused {
					require.NoError(t, err)
					continue
				}
				require.ErrorContains(t, err, "the disk queue of an earlier rtbeat in "+dir+" has events that were not delivered. Start the former release")
			}
		})
	}
}

func TestNoLibbeatEvents(t *testing.T) {
	data := inData(t)
	c := config.Default()
	require.NoError(t, checkLibbeatEvents(c), "no directory")
	require.NoError(t, os.WriteFile(filepath.Join(data, "diskqueue"), nil, 0o600))
	require.NoError(t, checkLibbeatEvents(c), "a file")
}

func TestLibbeatEventsThatCannotBeRead(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("this user may read everything")
	}
	dir := filepath.Join(inData(t), "diskqueue")
	copyLibbeatQueue(t, dir, "10-left")
	require.NoError(t, os.Chmod(dir, 0))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	require.ErrorContains(t, checkLibbeatEvents(config.Default()), "Let this user read the directory, or move it away")
}
