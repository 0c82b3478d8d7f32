package diskqueue

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/txn2/rtbeat/internal/batch"
)

// makeDir makes a directory and its parents, and syncs each.
func makeDir(path string) error {
	if _, err := os.Stat(path); err == nil || filepath.Dir(path) == path {
		return nil
	}
	if err := makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("making the directory of the queue: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func removeUnfinished(dir string) {
	entries, _ := os.ReadDir(dir) // list reports the error
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), extension+unfinishedSuffix) {
			_ = os.Remove(filepath.Join(dir, entry.Name())) // an error wastes space, and does no other harm
		}
	}
}

// lockDir locks a directory. try is a method of Flock.
func lockDir(path string, try func(*flock.Flock) (bool, error)) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(path, lockName))
	locked, err := try(lock)
	if err == nil && !locked {
		err = ErrLocked
	}
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return lock, nil
}

func list(dir string) (segments []*segment, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing the queue: %w", err)
	}
	for _, entry := range entries {
		digits, isSegment := strings.CutSuffix(entry.Name(), extension)
		first, err := strconv.ParseUint(digits, 10, 64)
		if !isSegment || err != nil || segmentPath(dir, first) != filepath.Join(dir, entry.Name()) {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return nil, fmt.Errorf("listing the queue: %w", err)
		}
		segments = append(segments, &segment{path: filepath.Join(dir, entry.Name()), first: first, size: info.Size()})
	}
	return segments, nil
}

// load verifies the segments and reads the keys of the messages back.
func (q *Queue) load() (err error) {
	removeUnfinished(q.settings.Path)
	if q.segments, err = list(q.settings.Path); err != nil {
		return err
	}
	q.next = 1
	newest := newestKeys{limit: q.settings.Dedupe.MaxEntries, after: time.Now().Add(-q.settings.Dedupe.Window).UnixNano()}
	for _, s := range q.segments {
		if s.tally, err = s.verify(newest.add); err != nil {
			return err
		}
		if err := syncFile(s.path); err != nil { // a killed process may have written without a sync
			return err
		}
		q.next = max(q.next, s.last+1, s.first+1) // an empty segment keeps its name
		q.newest = q.next - 1
	}
	newest.trim()
	for _, k := range newest.list {
		for _, key := range k.keys {
			q.window.Add(key, min(time.Until(time.Unix(0, k.at))+time.Since(q.start), time.Since(q.start)))
		}
	}
	return nil
}

// newestKeys collects the newest keys of messages.
type newestKeys struct {
	limit int
	after int64 // the time in nanoseconds after which keys are kept
	list  []keysOfBatch
	n     int // keys in list
}

type keysOfBatch struct {
	at   int64
	keys []batch.Key
}

// add keeps up to twice as many keys as the limit.
func (k *newestKeys) add(value []byte) {
	if at := timeOfKeys(value); at > k.after {
		k.list = append(k.list, keysOfBatch{at, decodeKeys(value)})
		if k.n += countKeys(value); k.n > 2*k.limit {
			k.trim()
		}
	}
}

// trim sorts the keys, the oldest first, and forgets the oldest batches as long as the others reach the limit.
func (k *newestKeys) trim() {
	slices.SortFunc(k.list, func(a, b keysOfBatch) int { return cmp.Compare(a.at, b.at) })
	for len(k.list) > 0 && k.n-len(k.list[0].keys) >= k.limit {
		k.n -= len(k.list[0].keys)
		k.after = k.list[0].at
		k.list = k.list[1:]
	}
	k.list = slices.Clone(k.list)
}
