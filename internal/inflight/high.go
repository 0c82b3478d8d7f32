package inflight

import "time"

// marks are how many bytes in flight are many, so that new batches had better go elsewhere, and how many are few again.
// They lie apart, or whoever looks would see it change with every acknowledgement.
type marks struct{ high, low int64 }

func marksOf(limit int64) marks {
	high := limit - limit/10                                  //nolint:mnd // nine tenths
	return marks{high: high, low: min(limit-limit/4, high-1)} //nolint:mnd // three quarters
}

// high is whether many bytes are in flight. The lock of the Admission guards it.
type high struct {
	is    bool
	since time.Time
	times uint64 // that it became so
}

// High tells whether nine tenths of the limit were in flight and it has not been down to three quarters since, for how
// long that has been so, and how often it has become so. It costs a lock, and no more.
func (a *Admission) High() (age time.Duration, times uint64, high bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.high.is {
		age = time.Since(a.high.since)
	}
	return age, a.high.times, a.high.is
}

// changeLocked is the only place where the bytes in flight change.
func (a *Admission) changeLocked(by int64) {
	a.used += by
	switch {
	case !a.high.is && a.used >= a.marks.high:
		a.high = high{is: true, since: time.Now(), times: a.high.times + 1}
	case a.high.is && a.used <= a.marks.low:
		a.high.is = false
	}
}
