//go:build chaos

package chaos

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// startIn makes a durable world with its queue in the given directory.
func startIn(t *testing.T, name, queue string) *world {
	t.Helper()
	return newWorld(t, durable, name, seedOf(t), func(w *world) { w.settings.Rtbeat["durable.path"] = queue })
}

// mountAt mounts a small file system. It needs root.
func mountAt(t *testing.T, path string, flags uintptr, options string) (unmount func()) {
	t.Helper()
	if err := syscall.Mount("tmpfs", path, "tmpfs", flags, options); err != nil {
		t.Skipf("mounting a file system for the queue: %v", err)
	}
	unmount = sync.OnceFunc(func() { require.NoError(t, syscall.Unmount(path, syscall.MNT_DETACH)) })
	t.Cleanup(unmount)
	return unmount
}

// A full disk loses nothing: senders keep the messages without a 200, and everything arrives when the disk has space again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	mountAt(t, disk, 0, "size=9m") // two segments
	w := startIn(t, "disk full", filepath.Join(disk, "queue"))
	w.load(4, 200)
	w.strike(fault{"disk full", false, func(w *world) func() {
		w.sink().SetPolicy(lumbersink.Never())
		w.others(2 * len(w.senders))
		return func() { harness.RecoverSink(w.sink()) }
	}})
	w.strike(kill)
	w.settle()
	require.Positive(t, w.tally.Counts()["503"], "%v", w.tally.Counts())
}

// A read-only disk stores nothing. When it is writable again, everything arrives.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	queue := t.TempDir()
	w := startIn(t, "disk read-only", queue)
	w.load(4, 200)
	w.strike(fault{"disk read-only", false, func(w *world) func() {
		w.sink().SetPolicy(lumbersink.Never())
		unmount := mountAt(t, queue, syscall.MS_RDONLY, "") // the next segment cannot be made
		w.others(2 * len(w.senders))
		return func() {
			unmount()
			harness.RecoverSink(w.sink())
		}
	}})
	w.settle()
	require.Positive(t, w.tally.Counts()["503"], "%v", w.tally.Counts())
}

// The start refuses a damaged file. It does not deliver from the file, and does not overwrite it.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	queue := t.TempDir()
	w := startIn(t, "damaged", queue)
	w.load(4, 40)
	w.sink().SetPolicy(lumbersink.Never())
	w.oks(10 * len(w.senders))
	w.terminate(sigterm)
	var needle []byte
	for _, a := range w.ledger.Attempts() { // the newest batch was not delivered
		if a.OK() && a.Answer.Body.Coalesced == 0 {
			needle = []byte(a.IDs[0] + `"`)
		}
	}

	files, err := filepath.Glob(filepath.Join(queue, "*.db"))
	require.NoError(t, err)
	path := files[len(files)-1]
	intact, err := os.ReadFile(path)
	require.NoError(t, err)
	at := bytes.Index(intact, needle)
	require.Positive(t, at)
	flip := func(offset int) []byte {
		b := bytes.Clone(intact)
		b[offset] ^= 1 << w.pick(8)
		return b
	}
	for name, damaged := range map[string][]byte{
		"flipped byte of a batch": bytes.ReplaceAll(intact, needle, bytes.ToUpper(needle)),
		"flipped byte of a page":  flip(16 + w.pick(56)),
		"cut short":               intact[:at+w.pick(len(needle))],
		"cut at a page":           intact[:at/4096*4096],
		"empty":                   {},
	} {
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		b := harness.Launch(t, w.settings)
		code, _ := b.WaitExit(30 * time.Second)
		require.NotZero(t, code, name)
		require.Contains(t, b.Log.String(), path+" is damaged", name)
		found, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, damaged, found, "%s: the file has changed", name)
		sum.count("damaged: " + name)
	}
	require.NoError(t, os.WriteFile(path, intact, 0o600))
	w.start()
	harness.RecoverSink(w.sink())
	w.flow()
	w.settle()
}
