package batch

import "strings"

const (
	// maxPacked is the longest string that shares an allocation with others, in bytes.
	maxPacked = 512
	// firstChunk is the size of such an allocation in the first message, and maxChunk the largest.
	firstChunk, maxChunk = 160, 4 << 10
)

// texts makes the strings of a message, short ones in few allocations. Two messages never share an allocation: one would keep
// the memory of the other.
type texts struct {
	chunk strings.Builder // only appended to, and never grown: strings point into it
	next  int             // the size of the next chunk
	used  int             // bytes of short strings in the message
}

// begin begins a message. It expects as much text as in the message before.
func (t *texts) begin() {
	t.chunk.Reset()
	t.next = firstChunk
	if t.used > 0 {
		t.next = min(t.used+t.used/8, maxChunk)
	}
	t.used = 0
}

// make returns a string of these bytes, and how many it allocated.
func (t *texts) make(plain []byte) (s string, made int64) {
	n := len(plain)
	switch {
	case n <= 1: // the runtime allocates none
		return string(plain), 0
	case n > maxPacked:
		return string(plain), allocated(n)
	case t.chunk.Cap()-t.chunk.Len() < n:
		t.chunk.Reset()
		t.chunk.Grow(max(n, t.next))
		t.next = min(2*t.next, maxChunk)
		made = int64(t.chunk.Cap())
	}
	t.used += n
	t.chunk.Write(plain)
	return t.chunk.String()[t.chunk.Len()-n:], made
}
