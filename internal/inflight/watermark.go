package inflight

import "time"

// marks are two numbers of bytes in flight: high says that new batches had better go elsewhere, low ends that. They lie apart,
// or the state would change with every acknowledgement.
type marks struct{ high, low int64 }

func marksOf(limit int64) marks {
	high := limit - limit/10
	return marks{high: high, low: min(limit-limit/4, high-1)}
}

// watermark is whether the bytes in flight are high. The lock of the Admission guards it.
type watermark struct {
	isHigh bool
	since  time.Time
	times  uint64 // that it became high
}

// High tells whether nine tenths of the limit were in flight and it has not been down to three quarters since, how long that has
// been so, and how often it has become so.
func (a *Admission) High() (age time.Duration, times uint64, high bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.watermark.isHigh {
		age = time.Since(a.watermark.since)
	}
	return age, a.watermark.times, a.watermark.isHigh
}

// changeLocked is the only code that changes the bytes in flight.
func (a *Admission) changeLocked(by int64) {
	a.used += by
	switch w := &a.watermark; {
	case !w.isHigh && a.used >= a.marks.high:
		*w = watermark{isHigh: true, since: time.Now(), times: w.times + 1}
	case w.isHigh && a.used <= a.marks.low:
		w.isHigh = false
	}
}
