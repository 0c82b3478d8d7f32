package inflight

import "sync"

// Admission bounds the bytes that are in flight: from the moment they are read until the token of their batch has
// settled, that is until the output acknowledged them or they were withdrawn. It does not end with the answer,
// else a batch that was answered 504 and still sits in the queue would cost nothing and memory would grow with
// every retry.
type Admission struct {
	limit int64

	mu   sync.Mutex
	used int64
}

// NewAdmission returns an Admission for limit bytes.
func NewAdmission(limit int64) *Admission {
	return &Admission{limit: limit}
}

// Limit is the configured limit in bytes.
func (a *Admission) Limit() int64 { return a.limit }

// Used is the number of bytes in flight now. It exceeds Limit only while one batch larger than the limit is alone.
func (a *Admission) Used() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used
}

// Open returns an empty reservation, or ErrFull when n more bytes, the announced length of a body, would not fit.
// It holds none of them yet: a sender pays for bytes that it sent, not for those that it promised. n <= 0 stands
// for an unknown length.
func (a *Admission) Open(n int64) (*Reservation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.used > 0 && a.used+max(n, 1) > a.limit {
		return nil, ErrFull
	}
	return &Reservation{admission: a}, nil
}

// Reservation is the part of the limit that one batch holds. Release must be called in the end.
type Reservation struct {
	admission *Admission
	held      int64 // guarded by admission.mu
}

// Grow takes n more bytes, or returns ErrFull and takes none. A batch larger than the whole limit may grow while
// it is alone, because otherwise it could never be sent.
func (r *Reservation) Grow(n int64) error {
	a := r.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.used+n > a.limit && a.used > r.held {
		return ErrFull
	}
	a.used += n
	r.held += n
	return nil
}

// shrink keeps bytes of what is held and gives the rest back.
func (r *Reservation) shrink(bytes int64) {
	a := r.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	bytes = min(bytes, r.held)
	a.used -= r.held - bytes
	r.held = bytes
}

// giveBack gives n bytes of what is held back.
func (r *Reservation) giveBack(n int64) {
	a := r.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	n = min(n, r.held)
	a.used -= n
	r.held -= n
}

// Release gives everything back. More calls do nothing.
func (r *Reservation) Release() {
	a := r.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used -= r.held
	r.held = 0
}
