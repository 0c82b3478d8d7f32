// Package queuedir looks after the directory of libbeat's disk queue, where libbeat does not: it keeps other
// processes out, repairs a position that a kill left half written, and checks that what is acknowledged was synced.
//
// The directory holds numbered segments, NNN.seg, and state.dat, the position of the first event that the output has
// not acknowledged (libbeat/publisher/queue/diskqueue/docs/on-disk-structures.md).
package queuedir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gofrs/flock"
)

const (
	lockName   = "queue.lock" // path.data has an rtbeat.lock, and may be the same directory
	stateName  = "state.dat"
	probeName  = "rtbeat.probe"
	segmentExt = ".seg"
)

// Dir is the directory of a queue that this process owns.
type Dir struct {
	path  string
	lock  *flock.Flock
	first uint64 // the number of the first segment that libbeat will write to
	// Reset says that Open moved the position back, so that some events are delivered again.
	Reset bool
	// Largest is the size of the largest segment that Open found.
	Largest int64

	mu      sync.Mutex
	current *segment   // that holds what was written last, as far as Sync has seen
	ahead   []*segment // made ahead, so that their files are open here before libbeat writes to them
	next    uint64     // the number of the segment after those
	many    int        // how many are made ahead
	err     error      // of the first Sync that failed
}

// Open makes the directory if there is none, takes hold of it and repairs the position. Call it before libbeat opens
// the queue. The directory is locked until Close, or until the process ends.
func Open(path string) (*Dir, error) {
	if err := makeDir(path); err != nil {
		return nil, err
	}
	d := &Dir{path: path, lock: flock.New(filepath.Join(path, lockName))}
	locked, err := d.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking it: %w", err)
	}
	if !locked {
		return nil, errors.New("another process uses it; each needs a directory of its own")
	}
	if err := d.prepare(); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Dir) prepare() error {
	if err := probe(d.path); err != nil {
		return err
	}
	ids, err := segments(d.path)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if info, err := os.Stat(segmentPath(d.path, id)); err == nil {
			d.Largest = max(d.Largest, info.Size())
		}
	}
	if d.Reset, err = repair(d.path, ids); err != nil {
		return fmt.Errorf("repairing %s: %w", stateName, err)
	}
	// libbeat numbers its next segment like this (NewQueue in diskqueue/queue.go). Where the guess is wrong, Sync
	// finds the segment that is written to.
	if len(ids) > 0 {
		d.first = ids[len(ids)-1] + 1
	}
	return nil
}

// Watch opens the first segments that libbeat will write to, for Sync: as many as it may fill in one write. Call it when
// libbeat has opened the queue, and before anything is published.
func (d *Dir) Watch(many int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next, d.many = d.first, max(many, 1)
	_ = d.makeAhead() // Sync looks again
}

// Close lets other processes in.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.current.close()
	d.closeAhead()
	d.current = nil
	if err := d.lock.Close(); err != nil {
		return fmt.Errorf("unlocking %s: %w", d.path, err)
	}
	return nil
}

// makeDir makes the directory as libbeat would, and makes sure that it is still there after a power failure.
func makeDir(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(path, 0o750); err != nil {
		return fmt.Errorf("making it: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// probe tells whether libbeat can write the queue here. A disk that is merely full is no reason not to start:
// delivering what is queued may free it.
func probe(path string) error {
	for name, mode := range map[string]int{stateName: os.O_RDWR, probeName: os.O_RDWR | os.O_CREATE} {
		f, err := os.OpenFile(filepath.Join(path, name), mode, 0o600) //nolint:gosec // a path from the configuration
		if full(err) || name == stateName && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("writing to it: %w", err)
		}
		_ = f.Close()
	}
	if err := os.Remove(filepath.Join(path, probeName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("deleting from it: %w", err)
	}
	return nil
}

// segments lists the segments that libbeat will find, by number, in order. Empty ones, which Sync made ahead, are
// removed.
func segments(path string) ([]uint64, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("listing it: %w", err)
	}
	var ids []uint64
	for _, entry := range entries {
		id, ok := number(entry.Name())
		if !ok {
			continue
		}
		if info, err := entry.Info(); err == nil && info.Size() == 0 {
			_ = os.Remove(filepath.Join(path, entry.Name()))
			continue
		}
		if readable(segmentPath(path, id)) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

func number(name string) (uint64, bool) {
	digits, found := strings.CutSuffix(name, segmentExt)
	if !found {
		return 0, false
	}
	id, err := strconv.ParseUint(digits, 10, 64)
	return id, err == nil
}

func segmentPath(path string, id uint64) string {
	return filepath.Join(path, strconv.FormatUint(id, 10)+segmentExt)
}
