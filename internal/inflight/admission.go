package inflight

import "sync"

// Admission bounds the bytes that are in flight: from the moment they are read until the token of their batch has
// settled, that is until the output acknowledged them or they were withdrawn. It does not end with the answer,
// else a batch that was answered 504 and still sits in the queue would cost nothing and memory would grow with
// every retry.
//
// Once something did not fit, nothing new is let in until an eighth of the limit is free: senders are told to come
// back for a while, and not each second one of them, back and forth, at every acknowledgement.
type Admission struct {
	limit  int64
	reopen int64 // how much may be in flight, after full, for new batches to be let in

	mu   sync.Mutex
	used int64
	full bool // something did not fit, and it is not known to have gone down to reopen since
}

// NewAdmission returns an Admission for limit bytes.
func NewAdmission(limit int64) *Admission {
	return &Admission{limit: limit, reopen: limit - limit/8}
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
// ErrTooLarge when they never will. It holds none of them yet: a sender pays for bytes that it sent, not for those that it promised. n <= 0 stands
// for an unknown length.
func (a *Admission) Open(n int64) (*Reservation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n > a.limit {
		return nil, ErrTooLarge
	}
	if a.used <= a.reopen {
		a.full = false
	}
	if a.full {
		return nil, ErrFull
	}
	if a.used+max(n, 1) > a.limit {
		a.full = true
		return nil, ErrFull
	}
	return &Reservation{admission: a}, nil
}

// Reservation is the part of the limit that one batch holds. Release must be called in the end.
type Reservation struct {
	admission *Admission
	held      int64 // guarded by admission.mu
}

// Grow takes n more bytes, or none: with ErrFull when there is no room for them now, and with ErrTooLarge when there
// never will be, because the batch would be larger than the whole limit.
func (r *Reservation) Grow(n int64) error {
	a := r.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.held+n > a.limit {
		return ErrTooLarge
	}
	if a.used+n > a.limit {
		a.full = true
		return ErrFull
	}
	a.used += n
	r.held += n
	return nil
}

// GiveBack gives n bytes of what is held back.
func (r *Reservation) GiveBack(n int64) {
	a := r.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	n = min(n, r.held)
	a.used -= n
	r.held -= n
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

// Release gives everything back. More calls do nothing.
func (r *Reservation) Release() { r.shrink(0) }
