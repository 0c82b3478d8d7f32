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
)

// pageSize is the same on every machine, so that a queue can be moved.
const pageSize = 4 << 10

// segment is one file of the queue, a bbolt database of batches in the order of their numbers.
type segment struct {
	path  string
	first uint64 // less than the number of each of its batches, and the name of the file

	use    sync.RWMutex                 // held while db is used, and locked to open and close it
	db     *bbolt.DB                    // nil while closed
	damage atomic.Pointer[DamagedError] // found while it was open
	gone   bool                         // it is not opened any more; guarded by use
	used   time.Time                    // guarded by Queue.mu, as all that follows

	tally
	size   int64     // of the file, in bytes
	frozen bool      // a commit failed, and it is not written any more
	oldest time.Time // when the first batch came in that Stats has read last
}

// tally is what is in a segment.
type tally struct {
	batches int   // not delivered
	bytes   int64 // of those, as they were stored or opened: SetKnown changes nothing
	keys    int   // of messages
	last    uint64
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, extension))
}

// options are the same for all segments. bbolt writes no list of free pages: it would be most of what a small commit
// writes, and it is nothing that a checksum holds. It is made when a segment is opened.
func options() *bbolt.Options {
	return &bbolt.Options{PageSize: pageSize, Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoStatistics: true}
}

// createSegment makes a file of so many bytes, all of them reserved on the disk where the system can. A segment that was
// not completed has another name, and is no part of the queue.
func createSegment(dir string, first uint64, size int64) (*segment, error) {
	s := &segment{path: segmentPath(dir, first), first: first, size: size}
	unfinished := s.path + unfinishedSuffix
	_ = os.Remove(unfinished) // there is none, or creating it will fail
	if err := initialize(unfinished, size); err != nil {
		_ = os.Remove(unfinished) // it is not used either way
		return nil, err
	}
	if err := os.Rename(unfinished, s.path); err != nil {
		_ = os.Remove(unfinished)
		return nil, fmt.Errorf("naming a segment: %w", err)
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
		return fmt.Errorf("creating a segment: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := allocate(file, size); err != nil {
		return fmt.Errorf("reserving space for a segment: %w", err)
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
	if err != nil {
		return fmt.Errorf("creating a segment: %w", err)
	}
	return nil
}

const fileMode = 0o600

// with runs f on the database, which it opens first where it is closed. A file that does not hold what its pages say makes
// bbolt panic, or the process fault: that is an error here.
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
	// bbolt would make an empty file where there is none, and looks at the pages in a goroutine of its own, where nobody
	// recovers a panic.
	if _, err := s.verify(func([]byte) {}); err != nil {
		return err
	}
	return s.contained(func() (err error) {
		s.db, err = bbolt.Open(s.path, fileMode, options())
		if err == nil {
			s.db.AllocSize = pageSize // a file that must grow does not grow by more than it must
		}
		return err
	})
}

// close waits for those that use the database.
func (s *segment) close() {
	s.use.Lock()
	defer s.use.Unlock()
	s.closeLocked()
}

func (s *segment) closeLocked() {
	if s.db != nil && s.damage.Load() == nil {
		_ = s.db.Close() // all that counts is synced
	}
	s.db = nil
}

// end closes the database for good. A call of Stats that is late opens it no more.
func (s *segment) end() {
	s.use.Lock()
	defer s.use.Unlock()
	s.closeLocked()
	s.gone = true
}

var errGone = errors.New("the segment is closed")

// contained turns a panic of f into an error, and an access to memory that is not there as well. That is for a file that is
// damaged while it is open. bbolt may hold a lock then: the database is not used any more, and not closed.
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

// view reads one bucket.
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

// hasRoom tells whether batches of so many bytes can be added without making the file longer. Pages that have become free
// count as used, because large batches need them side by side. The rest is for deletions: they write pages before they
// free others.
func (s *segment) hasRoom(size int64) bool {
	used := s.size
	_ = s.with(func(db *bbolt.DB) error { // a segment that cannot be read has no space
		return db.View(func(tx *bbolt.Tx) error { used = tx.Size(); return nil })
	})
	return used+size <= s.size-s.size/8
}

// keysSince are the keys of the messages that were stored since then. Where they cannot be read, they are forgotten.
func (s *segment) keysSince(then time.Time) (keys []stored) {
	_ = s.view(keysBucket, func(b values) error {
		return b.ForEach(func(k, v []byte) error {
			if v = b.at(k, v); timeOfKeys(v) > then.UnixNano() {
				keys = append(keys, stored{binary.BigEndian.Uint64(k), slices.Clone(v)})
			}
			return nil
		})
	})
	return keys
}

// verify reads all of the file, counts what is in it, and hands the keys of messages over, which are valid until each
// returns. The error is a *DamagedError, or that of opening the file.
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
