package inflight

import (
	"time"

	"github.com/txn2/rtbeat/internal/batch"
)

// remembered is the messages that were delivered lately, the oldest first. It holds no pointers, so that the garbage
// collector passes it over, and grows only with what it has to hold.
type remembered struct {
	window   time.Duration
	limit    int
	filtered map[batch.Key]bool
	ring     []delivery
	oldest   int // index into ring
}

// delivery is one delivered message.
type delivery struct {
	key batch.Key
	at  time.Duration
}

func newRemembered(window time.Duration, limit int) remembered {
	return remembered{window: window, limit: limit, filtered: make(map[batch.Key]bool)}
}

func (d *remembered) len() int { return len(d.filtered) }

// find tells whether the message was delivered, and whether that was by a processor that dropped it. Call expire first.
func (d *remembered) find(key batch.Key) (filtered, ok bool) {
	filtered, ok = d.filtered[key]
	return filtered, ok
}

// add remembers a message that is not known; the oldest makes room for it. now never goes back.
func (d *remembered) add(key batch.Key, filtered bool, now time.Duration) {
	switch {
	case d.window <= 0 || d.limit <= 0:
		return
	case d.len() == d.limit:
		d.forgetOldest()
	case d.len() == len(d.ring):
		d.grow()
	}
	d.ring[(d.oldest+d.len())%len(d.ring)] = delivery{key, now}
	d.filtered[key] = filtered
}

// expire forgets what is older than the window.
func (d *remembered) expire(now time.Duration) {
	for d.len() > 0 && now-d.ring[d.oldest].at > d.window {
		d.forgetOldest()
	}
}

func (d *remembered) forgetOldest() {
	delete(d.filtered, d.ring[d.oldest].key)
	d.oldest = (d.oldest + 1) % len(d.ring)
}

// grow doubles the ring, up to the limit.
func (d *remembered) grow() {
	ring := make([]delivery, min(max(2*len(d.ring), 64), d.limit))
	n := copy(ring, d.ring[d.oldest:])
	copy(ring[n:], d.ring[:d.oldest])
	d.ring, d.oldest = ring, 0
}
