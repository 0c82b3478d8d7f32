package inflight

import "time"

// evictAfter is how long a body may take before it can be evicted. A faster body delays no others.
const evictAfter = time.Second

// BeginRead says that the body of the batch is being read from now on. Until EndRead, the reservation may be evicted: when there
// is no space for others, the body that has been read for longest, and for more than a second, loses all of it. Otherwise a few
// senders that never complete their bodies would hold the whole limit. stop is called once, to end the reading. It must neither
// block nor call the Admission.
func (r *Reservation) BeginRead(stop func()) {
	a := r.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	r.began, r.stop = time.Now(), stop
	r.reading = a.reading.PushBack(r)
}

// EndRead says that the reading of the body has ended. It returns false when the reservation was evicted.
func (r *Reservation) EndRead() bool {
	a := r.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.reading != nil {
		a.reading.Remove(r.reading)
		r.reading = nil
	}
	return !r.evicted
}

// evictLocked evicts slow bodies, the oldest first, until no more than most is used. When all of them are not enough, it evicts
// none: no body is lost for a batch that is refused all the same.
func (a *Admission) evictLocked(most int64) {
	var slow []*Reservation
	left := a.used
	for next := a.reading.Front(); left > most; next = next.Next() {
		if next == nil {
			return
		}
		r := next.Value.(*Reservation) //nolint:forcetypeassert // the list holds nothing else
		if time.Since(r.began) < evictAfter {
			return
		}
		slow = append(slow, r)
		left -= r.held
	}
	for _, r := range slow {
		a.reading.Remove(r.reading)
		r.reading = nil
		r.changeLocked(-r.held)
		r.evicted = true
		r.stop()
	}
}
