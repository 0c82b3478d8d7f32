package inflight

import (
	"container/list"
	"sync"
	"time"
)

// Admission bounds the bytes in flight. Bytes count from the moment they are read until the token of their batch has settled:
// the output acknowledged them, or they were withdrawn. They count after the answer as well: otherwise a batch that was answered 504
// would cost nothing in the pipeline, and memory would grow with every retry.
//
// Once full, Admission stays full until an eighth of the limit is free. Otherwise it would flap with every acknowledgement.
//
// Two rules keep few senders from locking out all others. The last quarter of the limit is for small batches: a large batch gets
// it only while nothing else is in flight. A body that is read for too long is evicted when others need its bytes (BeginRead).
type Admission struct {
	limit     int64
	reopen    int64 // full ends at this number of bytes in flight
	large     int64 // a batch of more bytes is large
	high, low int64 // of the watermark

	mu        sync.Mutex
	used      int64
	watermark watermark
	full      bool      // a small batch did not fit; Open ends this at reopen
	reading   list.List // of *Reservation: the bodies that are being read, the oldest first
}

// alwaysSmall is the largest batch, in bytes, that is small for every limit.
const alwaysSmall = 256 << 10

// NewAdmission returns an Admission for limit bytes.
func NewAdmission(limit int64) *Admission {
	high := limit - limit/10
	return &Admission{limit: limit, reopen: limit - limit/8, large: max(limit/64, alwaysSmall), high: high, low: min(limit-limit/4, high-1)}
}

// Limit is the configured limit in bytes.
func (a *Admission) Limit() int64 { return a.limit }

// Used is the number of bytes in flight now, Limit at most.
func (a *Admission) Used() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used
}

// Open returns an empty reservation. It returns ErrFull when n bytes, the announced length of a body, do not fit, and ErrTooLarge
// when they never will. The reservation holds none of them yet: a sender pays for bytes that it has sent, not for an
// announcement. n <= 0 stands for an unknown length.
func (a *Admission) Open(n int64) (*Reservation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n > a.limit {
		return nil, ErrTooLarge
	}
	if a.full {
		a.evictLocked(a.reopen)
		a.full = a.used > a.reopen
	}
	r := &Reservation{admission: a}
	if a.full || !r.makeFitLocked(max(n, 1)) {
		return nil, ErrFull
	}
	return r, nil
}

// Reservation is the part of the limit that one batch holds. Release must be called in the end.
type Reservation struct {
	admission *Admission

	// Guarded by admission.mu.
	held    int64
	reading *list.Element // of Admission.reading, while the body is being read
	began   time.Time
	stop    func()
	evicted bool
}

// Grow takes n more bytes. It returns ErrFull when they do not fit now, and ErrTooLarge when the batch would be larger than the
// whole limit. Then it takes none.
func (r *Reservation) Grow(n int64) error {
	a := r.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case r.held+n > a.limit:
		return ErrTooLarge
	case r.evicted, !r.makeFitLocked(n):
		return ErrFull
	}
	r.changeLocked(n)
	return nil
}

// makeFitLocked makes space for n more bytes, by evicting slow bodies if it must. It returns false when there is none.
func (r *Reservation) makeFitLocked(n int64) bool {
	a := r.admission
	if r.held+n > a.large && a.used > r.held {
		most := a.limit - a.limit/4
		a.evictLocked(most - n)
		return !r.evicted && a.used+n <= most
	}
	a.evictLocked(a.limit - n)
	if r.evicted || a.used+n > a.limit {
		a.full = true
		return false
	}
	return true
}

// GiveBack returns n of the bytes that are held.
func (r *Reservation) GiveBack(n int64) {
	r.admission.mu.Lock()
	defer r.admission.mu.Unlock()
	r.changeLocked(-min(n, r.held))
}

// shrink returns all but n of the bytes that are held.
func (r *Reservation) shrink(n int64) {
	r.admission.mu.Lock()
	defer r.admission.mu.Unlock()
	r.changeLocked(min(n-r.held, 0))
}

func (r *Reservation) changeLocked(by int64) {
	r.held += by
	r.admission.changeLocked(by)
}

// Release returns all bytes, and ends BeginRead. More calls do nothing.
func (r *Reservation) Release() {
	r.EndRead()
	r.shrink(0)
}
