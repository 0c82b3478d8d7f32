package intake

import (
	"slices"
	"sync"
)

// Buffers of less are not worth keeping, and of more are too rare.
const minBuffer, maxBuffer = 16 << 10, 512 << 10

// buffers are where bodies were read into, for the next ones. Those that nobody takes are let go when garbage has been
// collected twice.
type buffers struct{ free sync.Pool } // of *[]byte

// grow returns body with room for at least n more bytes, and lets go of the memory that it had before. It is no more than
// it would be without buffers, or than eight times what has come: whoever sends little is not to hold much.
func (b *buffers) grow(body []byte, n int) []byte {
	size := len(body) + n
	if size < minBuffer || size > maxBuffer {
		return slices.Grow(body, n)
	}
	kept, ok := b.free.Get().(*[]byte)
	if !ok {
		return slices.Grow(body, n)
	}
	if cap(*kept) < size || cap(*kept) > max(size, 8*len(body)) {
		b.free.Put(kept) // for another one
		return slices.Grow(body, n)
	}
	return append((*kept)[:0], body...)
}

// keep takes a buffer that nothing points into any more.
func (b *buffers) keep(body []byte) {
	if cap(body) >= minBuffer && cap(body) <= maxBuffer {
		b.free.Put(&body)
	}
}
