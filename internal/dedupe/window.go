// Package dedupe remembers messages by their keys, for a time and up to a number.
package dedupe

import (
	"sort"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
)

// Window has the keys of delivered messages: a queue with the oldest first, and an index by key. Each call handles a few entries at
// most, because callers hold a lock. So an entry older than the window may still be in the queue, even with a younger entry of the
// same key behind it. Find and Len do not count the old entry.
//
// Neither the chunks nor the index have pointers: the garbage collector does not scan them. Only one goroutine may use a Window at
// a time.
type Window struct {
	window time.Duration
	limit  int // of entries, with the entries older than the window

	// index has the number of the youngest entry of each key. Entries are numbered from 0. The numbers may wrap, because there are
	// fewer entries than numbers.
	index  map[batch.Key]uint32
	chunks []*chunk // the first has the oldest entry
	head   int      // index of the oldest entry in the first chunk
	oldest uint32   // number of the oldest entry
	length int      // entries
}

// chunkLength is the number of entries by which the queue grows and shrinks.
const chunkLength = 1024

type chunk [chunkLength]delivery

// delivery is an entry: one delivered message.
type delivery struct {
	key batch.Key
	at  time.Duration
}

// forgetPerAdd is how many entries older than the window one Add forgets. It must be more than 1, so that the queue gets shorter
// while it has old entries.
const forgetPerAdd = 2

// mostRemembered keeps the numbers of entries unambiguous in a uint32.
const mostRemembered = 1 << 31

// NewWindow returns an empty Window, which remembers a message for the given time and limit messages at most.
func NewWindow(window time.Duration, limit int) Window {
	return Window{window: window, limit: min(limit, mostRemembered), index: make(map[batch.Key]uint32)}
}

// Len is the number of entries that are not older than the window. It takes about log2(length) steps.
func (d *Window) Len(now time.Duration) int {
	return d.length - sort.Search(d.length, func(i int) bool { return !d.isOld(d.entry(i), now) })
}

// Find tells whether the message was added within the window.
func (d *Window) Find(key batch.Key, now time.Duration) bool {
	number, ok := d.index[key]
	return ok && !d.isOld(d.entry(int(number-d.oldest)), now)
}

// Add remembers a message that Find does not find. It forgets up to forgetPerAdd entries that are older than the window,
// and the oldest entry when the limit is reached. now never goes back.
func (d *Window) Add(key batch.Key, now time.Duration) {
	if d.window <= 0 || d.limit <= 0 {
		return
	}
	for range forgetPerAdd {
		if d.length > 0 && d.isOld(d.entry(0), now) {
			d.forgetOldest()
		}
	}
	if d.length == d.limit {
		d.forgetOldest()
	}
	if d.head+d.length == len(d.chunks)*chunkLength {
		d.chunks = append(d.chunks, new(chunk))
	}
	d.index[key] = d.oldest + uint32(d.length) //nolint:gosec // below mostRemembered
	d.length++
	*d.entry(d.length - 1) = delivery{key, now}
}

func (d *Window) isOld(e *delivery, now time.Duration) bool { return now-e.at > d.window }

// entry returns the i-th entry; the oldest is entry 0.
func (d *Window) entry(i int) *delivery {
	i += d.head
	return &d.chunks[i/chunkLength][i%chunkLength]
}

func (d *Window) forgetOldest() {
	key := d.entry(0).key
	if d.index[key] == d.oldest { // else the message was delivered again since
		delete(d.index, key)
	}
	d.oldest++
	d.length--
	d.head++
	if d.head == chunkLength {
		d.chunks[0] = nil
		d.chunks, d.head = d.chunks[1:], 0
	}
}
