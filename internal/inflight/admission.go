package inflight

import (
	"container/list"
	"sync"
	"time"
)

// Admission bounds the bytes that are in flight: from the moment they are read until the token of their batch has
// settled, that is until the output acknowledged them or they were withdrawn. It does not end with the answer,
// else a batch that was answered 504 and still sits in the queue would cost nothing and memory would grow with
// every retry.
//
// Once something did not fit, nothing new is let in until an eighth of the limit is free: senders are told to come
// back for a while, and not each second one of them, back and forth, at every acknowledgement.
//
// Two rules keep few senders from locking out all others. The last quarter of the limit is for small batches: a large one
// may take it only while nothing else is in flight. And a body that has been coming for long makes room when there is
// none (Reservation.Coming).
type Admission struct {
	limit  int64
	reopen int64 // how much may be in flight, after full, for new batches to be let in
	large  int64 // a batch of more bytes is large
	marks  marks

	mu     sync.Mutex
	used   int64
	high   high
	full   bool      // something small did not fit, and it is not known to have gone down to reopen since
	coming list.List // of *Reservation, the bodies that are being read, by when that began
}

// smallest is what no batch is large below, whatever the limit.
const smallest = 256 << 10

// NewAdmission returns an Admission for limit bytes.
func NewAdmission(limit int64) *Admission {
	return &Admission{limit: limit, reopen: limit - limit/8, large: max(limit/64, smallest), marks: marksOf(limit)}
}

// Limit is the configured limit in bytes.
func (a *Admission) Limit() int64 { return a.limit }

// Used is the number of bytes in flight now, Limit at most.
func (a *Admission) Used() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used
}

// Open returns an empty reservation, or ErrFull when n more bytes, the announced length of a body, would not fit, or
// ErrTooLarge when they never will. It holds none of them yet: a sender pays for bytes that it sent, not for those that
// it promised. n <= 0 stands for an unknown length.
func (a *Admission) Open(n int64) (*Reservation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n > a.limit {
		return nil, ErrTooLarge
	}
	if a.full {
		a.makeRoomLocked(a.reopen)
		a.full = a.used > a.reopen
	}
	r := &Reservation{admission: a}
	if a.full || !r.fitsLocked(max(n, 1)) {
		return nil, ErrFull
	}
	return r, nil
}

// Reservation is the part of the limit that one batch holds. Release must be called in the end.
type Reservation struct {
	admission *Admission

	// What follows is guarded by admission.mu.
	held    int64
	coming  *list.Element // among those whose body is being read
	began   time.Time
	stop    func()
	evicted bool
}

// Grow takes n more bytes, or none: with ErrFull when there is no room for them now, and with ErrTooLarge when there
// never will be, because the batch would be larger than the whole limit.
func (r *Reservation) Grow(n int64) error {
	a := r.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case r.held+n > a.limit:
		return ErrTooLarge
	case r.evicted, !r.fitsLocked(n):
		return ErrFull
	}
	r.held += n
	a.changeLocked(n)
	return nil
}

// fitsLocked tells whether there is room for n more bytes, once bodies that come slowly have made way.
func (r *Reservation) fitsLocked(n int64) bool {
	a := r.admission
	if r.held+n > a.large && a.used > r.held {
		most := a.limit - a.limit/4
		a.makeRoomLocked(most - n)
		return !r.evicted && a.used+n <= most
	}
	a.makeRoomLocked(a.limit - n)
	if r.evicted || a.used+n > a.limit {
		a.full = true
		return false
	}
	return true
}

// GiveBack gives n bytes of what is held back.
func (r *Reservation) GiveBack(n int64) {
	a := r.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	n = min(n, r.held)
	r.held -= n
	a.changeLocked(-n)
}

// shrink keeps bytes of what is held and gives the rest back.
func (r *Reservation) shrink(bytes int64) {
	a := r.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	bytes = min(bytes, r.held)
	freed := r.held - bytes
	r.held = bytes
	a.changeLocked(-freed)
}

// Release gives everything back. More calls do nothing. It ends Coming as well.
func (r *Reservation) Release() {
	r.HasCome()
	r.shrink(0)
}
