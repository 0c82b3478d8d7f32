package inflight

import "time"

// watermark says whether the bytes in flight are high: from Admission.high on, down to Admission.low. With a single mark it would
// flap with every acknowledgement.
type watermark struct {
	isHigh bool
	since  time.Time
	times  uint64 // that it became high
}

// High tells whether the bytes in flight are high: from nine tenths of the limit on, until they are down to three quarters. age is
// since when, times is how often they became high.
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
	case !w.isHigh && a.used >= a.high:
		*w = watermark{isHigh: true, since: time.Now(), times: w.times + 1}
	case w.isHigh && a.used <= a.low:
		w.isHigh = false
	}
}
