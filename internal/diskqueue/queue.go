package diskqueue

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/txn2/rtbeat/internal/dedupe"
)

// Errors of Append and Open. Compare with errors.Is.
var (
	// ErrFull says that there is no room for the batch, below Settings.MaxBytes or on the disk.
	ErrFull = errors.New("the queue is full")
	// ErrClosed says that the queue is closed.
	ErrClosed = errors.New("the queue is closed")
	// ErrLocked says that another process uses the directory.
	ErrLocked = errors.New("another process uses the queue")
)

// DamagedError says that a file of the queue does not hold what was written to it.
type DamagedError struct {
	Path   string
	Reason error
}

func (e *DamagedError) Error() string { return fmt.Sprintf("%s is damaged: %v", e.Path, e.Reason) }

func (e *DamagedError) Unwrap() error { return e.Reason }

const (
	segmentBytes      = 64 << 20
	smallestSegment   = 4 << 20
	segmentsOfMax     = 16
	lockName          = "queue.lock"
	dirMode           = 0o750
	idleSegmentCloses = time.Second
)

// Queue is an open queue. Its methods may be called from any goroutine, but Next and Load from one at a time.
type Queue struct {
	settings     Settings
	segmentBytes int64 // of a segment as it is made
	lock         *flock.Flock
	start        time.Time
	appends      chan *pending
	wake         chan struct{} // to run: something was deleted
	stored       chan struct{} // to whoever calls Next
	closing      chan struct{}
	ended        chan struct{} // run has

	// run's alone.
	next    uint64 // the number of the next batch
	known   dedupe.Window
	refused int64    // bytes of the smallest batch that was not stored last
	unsaved []stored // keys of segments that were removed to make room; no segment has them yet

	mu                        sync.Mutex
	segments                  []*segment // in order; replaced, never changed in place
	edits                     []edit
	cursor                    uint64              // the number of the batch that Next returned last
	newest                    uint64              // the number of the batch that was stored last
	taken                     map[uint64]struct{} // the numbers of batches behind cursor that Next does not return
	trouble                   error               // why the last batch that was to be stored was not; nil when it was
	since                     time.Time
	damage                    *DamagedError // the first that Next has passed over
	damagedAt                 time.Time
	isDamaged                 bool  // Next or Load found damage: the only copy of a known message may be in it
	storedBytes, deletedBytes int64 // of batches, since Open
}

// Ref leads to a batch of the queue.
type Ref struct {
	Number  uint64
	Weight  int64 // of its messages, in bytes
	bytes   int64
	segment *segment
}

// Open opens the queue, or makes it. It reads all that is stored, and takes as long as reading does. The error is ErrLocked,
// or a *DamagedError, or that of the file system. Close it.
func Open(settings Settings) (*Queue, error) {
	if !settings.Dedupe.Enabled {
		settings.Dedupe = dedupe.Settings{}
	}
	q := &Queue{
		settings: settings, segmentBytes: min(max(int64(settings.MaxBytes)/segmentsOfMax, smallestSegment), segmentBytes), start: time.Now(),
		appends: make(chan *pending), wake: make(chan struct{}, 1), stored: make(chan struct{}, 1),
		closing: make(chan struct{}), ended: make(chan struct{}),
		known: dedupe.NewWindow(settings.Dedupe.Window, settings.Dedupe.MaxEntries), taken: make(map[uint64]struct{}),
	}
	if err := makeDir(settings.Path); err != nil {
		return nil, err
	}
	var err error
	if q.lock, err = lockDir(settings.Path); err != nil {
		return nil, err
	}
	if err := q.load(); err != nil {
		_ = q.lock.Close()
		return nil, err
	}
	go q.run()
	return q, nil
}

// Next returns the first batch behind the one that it returned last; ok is false when there is none. Stored tells when it is
// worth another try. It passes over a file that is damaged, and returns a *DamagedError, once, with the batch behind it: what is in
// the file stays there. Any other error may be over with the next call.
func (q *Queue) Next() (Ref, bool, error) {
	for {
		q.mu.Lock()
		segments, from, newest := q.segments, q.cursor+1, q.newest
		q.mu.Unlock()
		ref, ok, damage, err := q.find(segments, from, newest)
		if err != nil {
			return Ref{}, false, err
		}
		if ok {
			newest = ref.Number
		}
		if isTaken := q.advance(newest); !isTaken || damage != nil {
			return ref, ok && !isTaken, q.noteDamage(damage)
		}
	}
}

// noteDamage keeps the first damage for Trouble.
func (q *Queue) noteDamage(damage *DamagedError) error {
	if damage == nil {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.isDamaged = true
	if q.damage == nil {
		q.damage, q.damagedAt = damage, time.Now()
	}
	return damage
}

// advance moves the cursor, and tells whether the caller of Append ships the batch there.
func (q *Queue) advance(to uint64) (isTaken bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, isTaken = q.taken[to]
	q.cursor = max(q.cursor, to)
	maps.DeleteFunc(q.taken, func(number uint64, _ struct{}) bool { return number <= q.cursor })
	return isTaken
}

// find returns the first batch from a number on, up to the newest that run is done with. damage is the first that it has passed
// over.
func (q *Queue) find(segments []*segment, from, newest uint64) (found Ref, ok bool, damage *DamagedError, err error) {
	for _, s := range segments {
		last, holds := q.touch(s)
		if !holds || last < from {
			continue
		}
		err := s.view(batchesBucket, func(b values) error {
			k, v := b.Cursor().Seek(numberKey(from))
			if k == nil {
				return nil
			}
			ref, err := refOf(s, k, b.at(k, v))
			found, ok = ref, err == nil && ref.Number <= min(last, newest)
			return err
		})
		passed, isDamaged := errors.AsType[*DamagedError](err)
		if _, holds := q.touch(s); !holds { // it was removed meanwhile
			continue
		}
		switch {
		case isDamaged && damage == nil:
			damage = passed
		case isDamaged:
		case err != nil:
			return Ref{}, false, nil, fmt.Errorf("reading %s: %w", s.path, err)
		case ok:
			return found, true, damage, nil
		}
	}
	return Ref{}, false, damage, nil
}

// touch notes that a segment is used, and tells whether it holds batches, and the number of the last one. What a commit that
// failed has left behind it is none of them.
func (q *Queue) touch(s *segment) (last uint64, holds bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.used = time.Now()
	return s.last, s.batches > 0
}

// Stored has a value when a batch was stored since the last one was taken from it.
func (q *Queue) Stored() <-chan struct{} { return q.stored }

// Load reads a batch. Once damage was found anywhere, Record.Known is empty: the batch with these messages may be lost.
func (q *Queue) Load(ref Ref) (r Record, err error) {
	q.touch(ref.segment)
	err = ref.segment.view(batchesBucket, func(b values) (err error) {
		r, err = decode(ref.Number, b.get(ref.Number))
		return err
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		_, isDamaged := errors.AsType[*DamagedError](err)
		q.isDamaged = q.isDamaged || isDamaged || errors.Is(err, errChecksum)
		return Record{}, &DamagedError{Path: ref.segment.path, Reason: fmt.Errorf("batch %d: %w", ref.Number, err)}
	}
	if q.isDamaged {
		r.Known = nil
	}
	return r, nil
}

// Delete removes a batch, once. It does not wait: run deletes with the next commit, within deleteAfter.
func (q *Queue) Delete(ref Ref) {
	q.mu.Lock()
	q.edits = append(q.edits, edit{ref: ref, isDelete: true})
	q.mu.Unlock()
	q.wakeRun()
}

// SetKnown changes Header.Known of a stored batch: these messages are not to be published again. It does not wait, as Delete
// does not, and does nothing where there is no room for it.
func (q *Queue) SetKnown(ref Ref, known []int) {
	q.mu.Lock()
	q.edits = append(q.edits, edit{ref: ref, known: known})
	q.mu.Unlock()
	q.wakeRun()
}

func (q *Queue) wakeRun() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Stats is what is in the queue, and what went through it.
type Stats struct {
	Batches int           // that are not deleted
	Bytes   int64         // of those
	Oldest  time.Duration // since the oldest of those came in; 0 when there is none
	Files   int64         // bytes that the files take
	Limit   int64         // Settings.MaxBytes
	Stored  int64         // bytes of batches, since Open
	Deleted int64         // bytes of batches, since Open
}

// Counts returns Stats without Oldest. It takes a lock, and looks at no disk.
func (q *Queue) Counts() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Stats{Limit: int64(q.settings.MaxBytes), Stored: q.storedBytes, Deleted: q.deletedBytes}
	for _, segment := range q.segments {
		s.Batches += segment.batches
		s.Bytes += segment.bytes
		s.Files += segment.size
	}
	return s
}

// Stats returns Counts, and looks at the oldest batch on the disk. After Close it looks at no disk.
func (q *Queue) Stats() Stats {
	s := q.Counts()
	q.mu.Lock()
	segments := q.segments
	q.mu.Unlock()
	for _, segment := range segments {
		if _, holds := q.touch(segment); !holds {
			continue
		}
		if received := q.oldest(segment); !received.IsZero() { // else what is behind is younger, and waits as well
			s.Oldest = max(time.Since(received), 0)
			break
		}
	}
	return s
}

// oldest is when the first batch of a segment came in. Where it cannot be read, it is the time that was read last: an alert needs
// the age just then. It is zero when there is none.
func (q *Queue) oldest(s *segment) (received time.Time) {
	err := s.view(batchesBucket, func(b values) error { // an error is that of Load
		header, _, err := decodeHeader(b.at(b.Cursor().First()))
		received = header.Origin.Received
		return err
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil {
		s.oldest = received
	}
	return s.oldest
}

// Trouble says why batches are not stored, and for how long that is so: ErrFull, or the error of a write. run tries again each
// second. While batches are stored it is nil, or the *DamagedError of a file that Next has passed over.
func (q *Queue) Trouble() (age time.Duration, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.trouble != nil:
		return time.Since(q.since), q.trouble
	case q.damage != nil:
		return time.Since(q.damagedAt), q.damage
	default:
		return 0, nil
	}
}

// Close deletes what is to be deleted, ends all calls of Append, and lets other processes in. Of the other
// methods, Append, Counts and Stats alone may be called afterwards.
func (q *Queue) Close() error {
	close(q.closing)
	<-q.ended
	for _, s := range q.segments {
		s.end()
	}
	if err := q.lock.Close(); err != nil {
		return fmt.Errorf("unlocking %s: %w", q.settings.Path, err)
	}
	return nil
}
