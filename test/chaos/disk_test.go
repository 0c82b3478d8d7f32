//go:build chaos

package chaos

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// diskWorld is a world whose process keeps its queue on disk. There a 200 says that the batch is stored.
func diskWorld(t *testing.T, name string, disk map[string]any, home string) *world {
	t.Helper()
	w := makeWorld(t, name, seedOf(t))
	w.settings.Disk = disk
	w.settings.Rtbeat["max_body_bytes"] = "256KiB" // a message must fit into a segment
	if home != "" {
		w.settings.Home = home
	}
	w.stored = true
	w.ledger.Stored()
	w.start()
	w.warmUp()
	return w
}

// What was answered is on disk, and nowhere else: it has to be delivered by the next process, which nobody tells of it.
func TestStoredBatchesOutliveTheProcess(t *testing.T) {
	for _, end := range []fault{kill, term} {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			w := diskWorld(t, "disk "+end.name, map[string]any{"max_size": "50MB"}, "")
			w.load(4, 40)
			for range 5 {
				w.sink().SetPolicy(lumbersink.Never())
				w.oks(3 * len(w.senders))
				w.strike(fault{"sink silent, " + end.name, true, func(w *world) func() {
					restart := end.start(w)
					return func() {
						harness.RecoverSink(w.sink())
						restart()
					}
				}})
				sum.count(end.name)
			}
			w.settle()
		})
	}
}

// Faults of the connections while the process is killed again and again.
func TestStoredBatchesInAStorm(t *testing.T) {
	t.Parallel()
	w := diskWorld(t, "disk storm", map[string]any{"max_size": "50MB"}, "")
	w.load(4, 40)
	for _, f := range sinkFaults {
		// The others wait for senders that are told of the silence, and here they are not.
		if strings.HasPrefix(f.name, "reset") || strings.HasPrefix(f.name, "cut") || strings.Contains(f.name, "partial") {
			w.strike(f, kill)
			w.strike(term)
		}
	}
	w.settle()
}

// A full disk takes nothing more and loses nothing: senders keep what was not answered 200, and all arrives once there
// is room again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	data := filepath.Join(home, "data")
	require.NoError(t, os.Mkdir(data, 0o755))
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a small file system for the queue needs the right to mount one: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(data, 0)) })

	w := diskWorld(t, "disk full", map[string]any{"max_size": "50MB", "segment_size": "1MB"}, home)
	w.load(4, 100)
	w.strike(fault{"disk full", false, func(w *world) func() {
		w.sink().SetPolicy(lumbersink.Never())
		w.await(effectWithin, "a write that fails", func() bool {
			return strings.Contains(w.beat.Log.String(), syscall.ENOSPC.Error())
		})
		w.others(2 * len(w.senders))
		return func() { harness.RecoverSink(w.sink()) }
	}})
	w.strike(kill)
	w.settle()
}
