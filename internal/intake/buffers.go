package intake

import (
	"slices"
	"sync"
)

// Buffers of less are not worth keeping, and of more are too rare.
const minBuffer, maxBuffer = 16 << 10, 512 << 10

// buffers are where bodies were read into, for the next ones. They are kept until garbage is collected twice, so what they
// take is part of what was in flight lately.
type buffers struct{ free sync.Pool } // of *[]byte

// grow returns body with room for at least n more bytes, and lets go of the memory that it had before.
func (b *buffers) grow(body []byte, n int) []byte {
	size := len(body) + n
	if size < minBuffer || size > maxBuffer {
		return slices.Grow(body, n)
	}
	kept, ok := b.free.Get().(*[]byte)
	if !ok || cap(*kept) < size {
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
