package diskqueue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Stored is a batch as Read finds it.
type Stored struct {
	Number uint64
	Bytes  int64 // that it takes, as Stats counts them
	Record
}

// Files are what Read has found in the directory of a queue.
type Files struct {
	Count   int
	Bytes   int64
	Damaged []*DamagedError // batches of these may be lost
}

// Read hands each batch of a queue over that no process uses, in the order in which they were stored. It changes nothing,
// and needs no right to write. Of a damaged file it hands over each batch that is as it was stored and to which intact
// pages lead. The error is ErrLocked, that of the file system, or that of each.
func Read(dir string, each func(Stored) error) (files Files, err error) {
	lock, err := lockToRead(dir)
	if err != nil {
		return files, err
	}
	defer func() { _ = lock.Close() }() // the end of the process does it as well
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

// lockToRead keeps those out who write. Where there is no file for the lock, as in a copy, nobody has written.
func lockToRead(dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, lockName))
	if _, err := os.Stat(lock.Path()); errors.Is(err, os.ErrNotExist) {
		return lock, nil
	}
	locked, err := lock.TryRLock()
	if err == nil && !locked {
		err = ErrLocked
	}
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	return lock, nil
}

// salvage hands over the batches of a file, and says what is wrong with it. Where something is, the pages of the commit before
// are followed as well: they may lead to the same batches, and to those that the last commit deleted.
func (s *segment) salvage(each func(Stored) error) (damage, err error) {
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
			return each(Stored{number, int64(len(value)), r})
		})
		if err != nil || t.damage == nil {
			return nil, err
		}
	}
	return t.damage, nil
}
