package batch

import "strings"

const (
	// maxPacked is the longest string that shares an allocation with others, in bytes.
	maxPacked = 512
	// firstChunk is such an allocation where nothing is known, and maxChunk the largest.
	firstChunk, maxChunk = 256, 4 << 10
)

// texts makes the strings of a message, short ones in few allocations. Those of two messages share none: the one would
// keep the memory of the other. They are paid for one by one (charBytes), which is more than they take together: enough
// for the rest of a chunk that is not used up.
type texts struct {
	chunk strings.Builder // what was taken from it stays: it is only appended to, and never grows
	next  int             // the size of the next chunk
	used  int             // bytes of short strings in the message
}

// begin begins a message, which is likely to have as much text as the one before, and has no more than left bytes.
func (t *texts) begin(left int64) {
	t.chunk.Reset()
	t.next = firstChunk
	if t.used > 0 {
		t.next = t.used + t.used/8
	}
	t.next = int(min(int64(t.next), maxChunk, left))
	t.used = 0
}

// make returns a string of these bytes.
func (t *texts) make(plain []byte) string {
	n := len(plain)
	if n <= 1 || n > maxPacked { // those of one byte are the runtime's own
		return string(plain)
	}
	if t.chunk.Cap()-t.chunk.Len() < n {
		t.chunk.Reset()
		t.chunk.Grow(max(n, t.next))
		t.next = min(2*t.next, maxChunk)
	}
	t.used += n
	t.chunk.Write(plain)
	return t.chunk.String()[t.chunk.Len()-n:]
}
