package inflight

import (
	"sort"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
)

// remembered is the messages that were delivered lately, a queue with the oldest first, and an index by key. No call of
// it works for longer than a few entries take: it is called under the registry's lock. So an entry that is older than the
// window may still be there, and a younger one of the same key behind it. find and live do not count the old one.
//
// Neither the chunks nor the index hold pointers, so that the garbage collector passes them over.
type remembered struct {
	window time.Duration
	limit  int // of entries, with the entries older than the window

	// index leads to the youngest entry of a key, by its number. Entries are numbered from 0, and the numbers wrap, which
	// does no harm: there are fewer entries at a time than numbers.
	index  map[batch.Key]uint32
	chunks []*chunk // the first has the oldest entry
	head   int      // index of the oldest entry in the first chunk
	oldest uint32   // number of the oldest entry
	length int      // entries
}

// chunkLength is the number of entries by which the queue grows and shrinks.
const chunkLength = 1024

type chunk [chunkLength]delivery

// delivery is one delivered message.
type delivery struct {
	key batch.Key
	at  time.Duration
}

// forgetPerAdd is how many entries older than the window one add forgets. It must be more than 1: the queue gets shorter
// then as long as it has such entries.
const forgetPerAdd = 2

// mostRemembered keeps the number of an entry within a uint32.
const mostRemembered = 1 << 31

func newRemembered(window time.Duration, limit int) remembered {
	return remembered{window: window, limit: min(limit, mostRemembered), index: make(map[batch.Key]uint32)}
}

// live is the number of entries that are not older than the window. It takes about log2(length) steps.
func (d *remembered) live(now time.Duration) int {
	return d.length - sort.Search(d.length, func(i int) bool { return !d.isOld(d.entry(i), now) })
}

// find tells whether the message was delivered within the window.
func (d *remembered) find(key batch.Key, now time.Duration) bool {
	number, ok := d.index[key]
	return ok && !d.isOld(d.entry(int(number-d.oldest)), now)
}

// add remembers a message that find does not find. It forgets up to forgetPerAdd entries that are older than the window,
// and the oldest entry when the limit is reached. now never goes back.
func (d *remembered) add(key batch.Key, now time.Duration) {
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

func (d *remembered) isOld(e *delivery, now time.Duration) bool { return now-e.at > d.window }

// entry returns the i-th entry, of which the oldest is 0.
func (d *remembered) entry(i int) *delivery {
	i += d.head
	return &d.chunks[i/chunkLength][i%chunkLength]
}

func (d *remembered) forgetOldest() {
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
