package diskqueue

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/txn2/rtbeat/internal/dedupe"
)

// Errors of Append and Open. Compare with errors.Is.
var (
	// ErrFull says that there is no space for the batch, below Settings.MaxBytes or on the disk.
	ErrFull = errors.New("the queue is full")
	// ErrClosed says that the queue is closed.
	ErrClosed = errors.New("the queue is closed")
	// ErrLocked says that another process uses the directory.
	ErrLocked = errors.New("another process uses the queue")
)

// DamagedError says that the content of a file of the queue is wrong or missing.
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
	segmentBytes int64 // of a new segment
	lock         *flock.Flock
	start        time.Time
	appends      chan *pending
	wake         chan struct{} // to run: there is an edit
	added        chan struct{} // to the caller of Next: there is a batch
	closing      chan struct{}
	ended        chan struct{} // closed when run returns

	// For run alone.
	next               uint64        // the number of the next batch
	window             dedupe.Window // the keys of the messages that were stored within Settings.Dedupe.Window
	refused            int64         // bytes of the smallest batch of the last group that was not stored
	probe              int64         // bytes for which a retry looks for space; 0 in other commits
	keysWithoutSegment []keysValue   // of segments that were removed to make space

	mu                        sync.Mutex
	segments                  []*segment // in order; replaced, never changed in place
	edits                     []edit
	cursor                    uint64              // the number of the batch that Next returned last
	newest                    uint64              // the number of the batch that was stored last
	taken                     map[uint64]struct{} // the numbers of batches behind cursor that Next does not return
	trouble                   error               // of the last attempt to store batches; nil when it succeeded
	since                     time.Time
	damage                    *DamagedError // the first that Next or Load has found
	damagedAt                 time.Time
	storedBytes, deletedBytes int64 // of batches, since Open
}

// Ref leads to a batch of the queue.
type Ref struct {
	Number  uint64
	Weight  int64 // of its messages, in bytes
	bytes   int64
	segment *segment
}

// Open opens the queue, or makes it. It reads and checks all files. The error is ErrLocked, a *DamagedError, or an error of the
// file system. Close must be called in the end.
func Open(settings Settings) (*Queue, error) {
	if !settings.Dedupe.Enabled {
		settings.Dedupe = dedupe.Settings{}
	}
	q := &Queue{
		settings: settings, segmentBytes: min(max(int64(settings.MaxBytes)/segmentsOfMax, smallestSegment), segmentBytes), start: time.Now(),
		appends: make(chan *pending), wake: make(chan struct{}, 1), added: make(chan struct{}, 1),
		closing: make(chan struct{}), ended: make(chan struct{}),
		window: dedupe.NewWindow(settings.Dedupe.Window, settings.Dedupe.MaxEntries), taken: make(map[uint64]struct{}),
	}
	if err := makeDir(settings.Path); err != nil {
		return nil, err
	}
	var err error
	if q.lock, err = lockDir(settings.Path, (*flock.Flock).TryLock); err != nil {
		return nil, err
	}
	if err := q.load(); err != nil {
		_ = q.lock.Close()
		return nil, err
	}
	go q.run()
	return q, nil
}

// Load reads a batch. The error is a *DamagedError.
func (q *Queue) Load(ref Ref) (r Record, err error) {
	q.touch(ref.segment)
	err = ref.segment.view(batchesBucket, func(b values) (err error) {
		r, err = decode(ref.Number, b.get(ref.Number))
		return err
	})
	if err == nil {
		return r, nil
	}
	damage := &DamagedError{Path: ref.segment.path, Reason: fmt.Errorf("batch %d: %w", ref.Number, err)}
	if _, isDamaged := errors.AsType[*DamagedError](err); isDamaged || errors.Is(err, errChecksum) { // else the next attempt may read it
		q.mu.Lock()
		defer q.mu.Unlock()
		q.noteDamageLocked(damage)
	}
	return Record{}, damage
}

// Delete removes a batch, once. It does not wait: run deletes with the next commit, within deleteAfter.
func (q *Queue) Delete(ref Ref) { q.addEdit(edit{ref: ref, isDelete: true}) }

// SetSkip changes Header.Skip of a stored batch. It does not wait. Without space for the longer batch it changes nothing.
func (q *Queue) SetSkip(ref Ref, skip []int) { q.addEdit(edit{ref: ref, skip: skip}) }

func (q *Queue) addEdit(e edit) {
	q.mu.Lock()
	q.edits = append(q.edits, e)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Close makes the last edits, ends all calls of Append, and unlocks the directory. Only Append, Counts and Stats may be called
// afterwards.
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
