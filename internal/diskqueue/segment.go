package diskqueue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// The buckets of a segment. Both have the numbers of batches as keys.
var (
	batchesBucket = []byte("batches") // Records
	keysBucket    = []byte("keys")    // the keys of messages, also of batches that are delivered
)

const (
	extension        = ".db"
	unfinishedSuffix = ".new"
	fileMode         = 0o600
	pageSize         = 4 << 10 // the same on every machine, so that a queue can be moved
)

// segment is one file of the queue, a bbolt database of batches in the order of their numbers.
type segment struct {
	path  string
	first uint64 // less than the number of each of its batches, and the name of the file

	use    sync.RWMutex                 // held while db is used, and locked to open and close it
	db     *bbolt.DB                    // nil while closed
	damage atomic.Pointer[DamagedError] // found while it was open
	gone   bool                         // closed for good; guarded by use
	used   time.Time                    // guarded by Queue.mu, like all fields below

	tally
	size   int64 // of the file, in bytes
	frozen bool  // a commit failed: the segment is never written again

	deletions   int       // of batches, since Open
	oldest      time.Time // when the first batch came in, as Stats has read last
	oldestAfter int       // deletions when Stats read oldest
}

type tally struct {
	batches int   // not deleted
	bytes   int64 // of these batches, when they were stored or opened: SetSkip does not change it
	keys    int   // of messages
	last    uint64
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, extension))
}

// options are the same for all segments. bbolt writes no list of free pages, and makes the list when it opens a segment: the list
// would be most of a small commit, and has no checksum.
func options() *bbolt.Options {
	return &bbolt.Options{PageSize: pageSize, Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoStatistics: true}
}

// createSegment makes a file of size bytes, and reserves them on the disk if the system can. Until the file is complete, it has
// another name and is no part of the queue.
func createSegment(dir string, first uint64, size int64) (*segment, error) {
	s := &segment{path: segmentPath(dir, first), first: first, size: size}
	unfinished := s.path + unfinishedSuffix
	_ = os.Remove(unfinished) // there is none, or creating it will fail
	err := initialize(unfinished, size)
	if err == nil {
		err = os.Rename(unfinished, s.path)
	}
	if err != nil {
		_ = os.Remove(unfinished) // the next start removes it
		return nil, fmt.Errorf("creating a segment: %w", err)
	}
	return s, syncDir(dir)
}

func initialize(path string, size int64) (err error) {
	o := options()
	var file *os.File
	o.OpenFile = func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
		file, err = os.OpenFile(name, flag, mode) //nolint:gosec // a path from the configuration
		return file, err
	}
	db, err := bbolt.Open(path, fileMode, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := allocate(file, size); err != nil {
		return fmt.Errorf("reserving space: %w", err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(batchesBucket)
		if err == nil {
			_, err = tx.CreateBucket(keysBucket)
		}
		return err
	})
	if err == nil {
		err = file.Sync()
	}
	return err
}

// with opens the database if it is closed, and runs f on it.
func (s *segment) with(f func(*bbolt.DB) error) error {
	for {
		if damage := s.damage.Load(); damage != nil {
			return damage
		}
		s.use.RLock()
		if s.db != nil {
			break
		}
		s.use.RUnlock()
		if err := s.open(); err != nil {
			return err
		}
	}
	defer s.use.RUnlock()
	return s.contained(func() error { return f(s.db) })
}

// open opens the database for reading and writing, unless it is open.
func (s *segment) open() error {
	s.use.Lock()
	defer s.use.Unlock()
	if s.db != nil {
		return nil
	}
	if s.gone {
		return errGone
	}
	// bbolt would make a missing file, and reads the pages in a goroutine of its own, where a panic ends the process.
	if _, err := s.verify(func([]byte) {}); err != nil {
		return err
	}
	return s.contained(func() (err error) {
		s.db, err = bbolt.Open(s.path, fileMode, options())
		if err == nil {
			s.db.AllocSize = pageSize // a file grows by no more than it must
		}
		return err
	})
}

// close waits for the users of the database, and closes it. The next use opens it again.
func (s *segment) close() {
	s.use.Lock()
	defer s.use.Unlock()
	if s.db != nil && s.damage.Load() == nil {
		_ = s.db.Close() // every commit is synced
	}
	s.db = nil
}

// end closes the database for good. A late call of Stats does not open it again.
func (s *segment) end() {
	s.use.Lock()
	s.gone = true
	s.use.Unlock()
	s.close()
}

var errGone = errors.New("the segment is closed")

// contained returns a panic of f as an error, and a memory fault too: bbolt panics or faults if a file is damaged while it is
// open. It may hold a lock then, so the database is never used again, and not closed.
func (s *segment) contained(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			damage := &DamagedError{Path: s.path, Reason: fmt.Errorf("reading it: %v", p)}
			s.damage.Store(damage)
			err = damage
		}
	}()
	return f()
}

func (s *segment) view(bucket []byte, f func(values) error) error {
	return s.with(func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			b, err := valuesOf(tx, bucket)
			if err != nil {
				return err
			}
			return f(b)
		})
	})
}

// hasSpace tells whether size bytes can be added without making the file longer. Free pages count as used, because large batches
// need neighboring pages. An eighth of the file is for deletions, which write pages before they free others.
func (s *segment) hasSpace(size int64) bool {
	used := s.size
	_ = s.with(func(db *bbolt.DB) error { // a segment that cannot be read has no space
		return db.View(func(tx *bbolt.Tx) error { used = tx.Size(); return nil })
	})
	return used+size <= s.size-s.size/8
}

// keysSince returns the keys of the messages that were stored since then. Unreadable keys are forgotten.
func (s *segment) keysSince(then time.Time) (keys []keysValue) {
	_ = s.view(keysBucket, func(b values) error {
		return b.ForEach(func(k, v []byte) error {
			if v = b.at(k, v); timeOfKeys(v) > then.UnixNano() {
				keys = append(keys, keysValue{binary.BigEndian.Uint64(k), slices.Clone(v)})
			}
			return nil
		})
	})
	return keys
}

// verify reads and checks the whole file, and counts its content. It calls each with the keys of a batch's messages, which are valid
// until each returns. The error is a *DamagedError, or an error of opening the file.
func (s *segment) verify(each func(keys []byte)) (t tally, err error) {
	file, err := os.Open(s.path) //nolint:gosec // a path from the configuration
	if err != nil {
		return t, fmt.Errorf("opening a segment: %w", err)
	}
	defer func() { _ = file.Close() }() // read only
	info, err := file.Stat()
	if err != nil {
		return t, fmt.Errorf("opening a segment: %w", err)
	}
	if t, err = count(file, info.Size(), each); err != nil {
		return t, &DamagedError{Path: s.path, Reason: err}
	}
	return t, nil
}

func count(file io.ReaderAt, size int64, each func(keys []byte)) (t tally, err error) {
	pages := tree{file: file, size: size, seen: make(map[uint64]bool)}
	metas := pages.metas()
	if pages.damage != nil {
		return t, pages.damage
	}
	_ = pages.scan(metas[0], func(isBatch bool, number uint64, value []byte) error { // no error of its own
		t.last = max(t.last, number)
		switch {
		case isBatch && len(value) >= fixedBytes:
			t.batches++
			t.bytes += int64(len(value))
		case !isBatch && len(value) >= keysHeader && (len(value)-keysHeader)%keyBytes == 0:
			t.keys += countKeys(value)
			each(value)
		default:
			pages.note("value %d has a wrong length", number)
		}
		return nil
	})
	return t, pages.damage
}
