package diskqueue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// The buckets of a segment. Both have the numbers of batches as keys.
var (
	batchesBucket = []byte("batches") // Records; its sequence is the sum of their checksums
	keysBucket    = []byte("keys")    // the keys of messages, also of batches that are delivered
)

const extension = ".db"

// pageSize is the same on every machine, so that a queue can be moved.
const pageSize = 4 << 10

// segment is one file of the queue, a bbolt database of batches with consecutive numbers.
type segment struct {
	path  string
	first uint64 // the number of its first batch, and the name of the file

	use  sync.RWMutex // held while db is used, and locked to open and close it
	db   *bbolt.DB    // nil while closed
	used time.Time    // guarded by Queue.mu, as all that follows

	tally
	size   int64 // of the file, in bytes
	room   int64 // for batches, in bytes
	frozen bool  // a commit failed, and it is not written any more
}

// tally is what is in a segment.
type tally struct {
	batches int   // not delivered
	bytes   int64 // of those
	keys    int   // of messages
	last    uint64
}

func numberKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

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
	s := &segment{path: segmentPath(dir, first), first: first, size: size, room: roomOf(size)}
	unfinished := s.path + ".new"
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

// roomOf is what of a segment is for batches. The rest is for keys, and for the pages of a commit beside those before it.
func roomOf(size int64) int64 { return size - size/8 }

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
		return fmt.Errorf("reserving room for a segment: %w", err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(batchesBucket)
		if err == nil {
			_, err = tx.CreateBucket(keysBucket)
		}
		return err //nolint:wrapcheck // below
	})
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		return fmt.Errorf("creating a segment: %w", err)
	}
	return nil
}

const (
	fileMode = 0o600
	// growBytes is by how much a segment grows that needs more than was reserved.
	growBytes = 1 << 20
)

// with runs f on the database, which it opens first where it is closed. A file that does not hold what its pages say makes
// bbolt panic, or the process fault: that is an error here.
func (s *segment) with(f func(*bbolt.DB) error) error {
	for {
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
	return contained(func() error { return f(s.db) })
}

// open opens the database for reading and writing, unless it is open.
func (s *segment) open() error {
	s.use.Lock()
	defer s.use.Unlock()
	if s.db != nil {
		return nil
	}
	if _, err := os.Stat(s.path); err != nil { // bbolt would make an empty one
		return fmt.Errorf("opening a segment: %w", err)
	}
	return contained(func() (err error) {
		if s.db, err = bbolt.Open(s.path, fileMode, options()); err == nil {
			s.db.AllocSize = growBytes
		}
		return err //nolint:wrapcheck // the path is in its text
	})
}

// close waits for those that use the database.
func (s *segment) close() {
	s.use.Lock()
	defer s.use.Unlock()
	if s.db != nil {
		_ = s.db.Close() // all that counts is synced
		s.db = nil
	}
}

// contained turns a panic of f into an error, and an access to memory that is not there as well.
func contained(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	return f()
}

// view reads one bucket.
func (s *segment) view(bucket []byte, f func(*bbolt.Bucket) error) error {
	return s.with(func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			if b := tx.Bucket(bucket); b != nil {
				return f(b)
			}
			return fmt.Errorf("there is no bucket %s", bucket)
		})
	})
}

// keysSince are the keys of the messages that were stored since then. Where they cannot be read, they are forgotten.
func (s *segment) keysSince(then time.Time) (keys []stored) {
	_ = s.view(keysBucket, func(b *bbolt.Bucket) error {
		return b.ForEach(func(k, v []byte) error {
			if timeOfKeys(v) > then.UnixNano() {
				keys = append(keys, stored{slices.Clone(k), slices.Clone(v)})
			}
			return nil
		})
	})
	return keys
}

// verify reads all of the file, and counts what is in it. It opens the file for itself, for reading alone, so that a file
// that is damaged is not changed.
func (s *segment) verify() (t tally, err error) {
	if err := s.verifyMeta(); err != nil {
		return t, err
	}
	err = contained(func() error {
		o := options()
		o.ReadOnly = true
		db, err := bbolt.Open(s.path, fileMode, o)
		if err != nil {
			return err //nolint:wrapcheck // the path is in its text
		}
		defer func() { _ = db.Close() }() // read only
		return db.View(func(tx *bbolt.Tx) error {
			batches, keys := tx.Bucket(batchesBucket), tx.Bucket(keysBucket)
			if batches == nil || keys == nil {
				return errors.New("a bucket is missing")
			}
			t, err = count(batches, keys)
			return err
		})
	})
	return t, err
}

// count checks each batch, and that none of them is missing.
func count(batches, keys *bbolt.Bucket) (t tally, err error) {
	var sum uint64
	err = batches.ForEach(func(k, value []byte) error {
		if len(k) != 8 || len(value) < fixedBytes || binary.BigEndian.Uint64(k) <= t.last && t.batches > 0 {
			return errors.New("a key is wrong")
		}
		t.last = binary.BigEndian.Uint64(k)
		if binary.BigEndian.Uint64(value) != checksum(t.last, value) {
			return fmt.Errorf("batch %d: %w", t.last, errChecksum)
		}
		sum += binary.BigEndian.Uint64(value)
		t.batches++
		t.bytes += int64(len(value))
		return nil
	})
	if err != nil {
		return t, err //nolint:wrapcheck // made above
	}
	if sum != batches.Sequence() {
		return t, errors.New("batches are missing")
	}
	err = keys.ForEach(func(k, value []byte) error {
		if len(k) != 8 || len(value) < 8 || (len(value)-8)%keyBytes != 0 {
			return errors.New("keys of messages are wrong")
		}
		t.keys += countKeys(value)
		t.last = max(t.last, binary.BigEndian.Uint64(k))
		return nil
	})
	return t, err //nolint:wrapcheck // made above
}

// verifyMeta checks both meta pages. bbolt needs one, and goes back to the commit before where the newer one is damaged. Each
// has its checksum at its end (bbolt internal/common/meta.go).
func (s *segment) verifyMeta() error {
	const header, length = 16, 56
	file, err := os.Open(s.path)
	if err != nil {
		return fmt.Errorf("opening a segment: %w", err)
	}
	defer func() { _ = file.Close() }() // read only
	for page := range int64(2) {
		meta := make([]byte, header+length+8)
		if _, err := file.ReadAt(meta, page*pageSize); err != nil {
			return fmt.Errorf("reading meta page %d: %w", page, err)
		}
		sum := fnv.New64a()
		_, _ = sum.Write(meta[header : header+length]) // never fails
		if sum.Sum64() != binary.NativeEndian.Uint64(meta[header+length:]) {
			return fmt.Errorf("meta page %d is damaged", page)
		}
	}
	return nil
}
