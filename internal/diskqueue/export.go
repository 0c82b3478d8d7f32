package diskqueue

import (
	"errors"
	"fmt"
	"os"

	"github.com/gofrs/flock"
)

// ExportedBatch is a batch that Read has found.
type ExportedBatch struct {
	Number uint64
	Bytes  int64 // as Stats counts them
	Record
}

// Files are the files that Read has found.
type Files struct {
	Count   int
	Bytes   int64
	Damaged []*DamagedError // batches of these files may be lost
}

// Read calls each with every batch of a queue that no process uses, in the order in which the batches were stored. It changes
// nothing, and needs no right to write. From a damaged file it reads each undamaged batch to which undamaged pages lead. The error
// is ErrLocked, an error of the file system, or the error of each.
func Read(dir string, each func(ExportedBatch) error) (files Files, err error) {
	lock, err := lockDir(dir, tryRLock)
	if err != nil {
		return files, err
	}
	defer func() { _ = lock.Close() }() // so does the end of the process
	segments, err := list(dir)
	if err != nil {
		return files, err
	}
	for _, s := range segments {
		files.Count++
		files.Bytes += s.size
		damage, err := s.salvage(each)
		if err != nil {
			return files, err
		}
		if damage != nil {
			files.Damaged = append(files.Damaged, &DamagedError{Path: s.path, Reason: damage})
		}
	}
	return files, nil
}

// tryRLock locks for reading. Without a file of the lock, as in a copy of a queue, no process uses the queue.
func tryRLock(lock *flock.Flock) (bool, error) {
	if _, err := os.Stat(lock.Path()); errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	return lock.TryRLock()
}

// salvage calls each with the batches of a file, and returns the damage. If there is damage, salvage also follows the pages of the
// commit before. They may lead to the same batches, and to batches that the last commit deleted.
func (s *segment) salvage(each func(ExportedBatch) error) (damage, err error) {
	file, err := os.Open(s.path)
	if err != nil {
		return fmt.Errorf("opening a segment: %w", err), nil
	}
	defer func() { _ = file.Close() }() // read only
	t := tree{file: file, size: s.size}
	handedOver := make(map[uint64]bool)
	for _, m := range t.metas() {
		t.seen = make(map[uint64]bool)
		err := t.scan(m, func(isBatch bool, number uint64, value []byte) error {
			if !isBatch || handedOver[number] {
				return nil
			}
			r, err := decode(number, value)
			if err != nil {
				t.note("batch %d: %w", number, err)
				return nil
			}
			handedOver[number] = true
			return each(ExportedBatch{number, int64(len(value)), r})
		})
		if err != nil || t.damage == nil {
			return nil, err
		}
	}
	return t.damage, nil
}
