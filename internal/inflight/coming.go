package inflight

import "time"

// comingGrace is how long a body may be on its way before it may have to make room for others. What is read in less
// disturbs nobody.
const comingGrace = time.Second

// Coming says that the body of the batch is being read from now on. It has no claim to what it holds: when there is no
// room for others, the body that has been coming for the longest time, and for longer than a second, loses all of it, and
// stop is called, once, to end the reading. Else a few senders that never complete their bodies would hold the whole
// limit, and lock everybody out. stop must neither block nor call the Admission.
func (r *Reservation) Coming(stop func()) {
	a := r.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	r.began, r.stop = time.Now(), stop
	r.coming = a.coming.PushBack(r)
}

// HasCome ends Coming: what is held is not taken away any more, and stop is not called any more. It is false when that has
// happened.
func (r *Reservation) HasCome() bool {
	a := r.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.coming != nil {
		a.coming.Remove(r.coming)
		r.coming = nil
	}
	return !r.evicted
}

// makeRoomLocked evicts bodies that have been coming for long, the oldest first, until no more than most is used. It evicts
// none where all of them would not be enough: nobody loses a body for a batch that is refused all the same.
func (a *Admission) makeRoomLocked(most int64) {
	var slow []*Reservation
	left := a.used
	for place := a.coming.Front(); left > most; place = place.Next() {
		if place == nil {
			return
		}
		r := place.Value.(*Reservation) //nolint:forcetypeassert // Coming puts nothing else into the list
		if time.Since(r.began) < comingGrace {
			return
		}
		slow = append(slow, r)
		left -= r.held
	}
	for _, r := range slow {
		a.coming.Remove(r.coming)
		r.coming = nil
		freed := r.held
		r.held, r.evicted = 0, true
		a.changeLocked(-freed)
		r.stop()
	}
}
