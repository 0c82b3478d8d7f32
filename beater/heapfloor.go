package beater

import (
	"sync/atomic"

	"github.com/txn2/rtbeat/config"
)

// heapFloor is how far the heap may grow, at least, before garbage is collected. Go collects when the live heap has doubled. With
// little in flight rtbeat's live heap is 5 MB, and four senders would cause sixty collections a second: a tenth of the processor.
const heapFloor = 32 << 20

// ballast keeps the floor.
var ballast atomic.Pointer[[]byte]

// raiseHeap allocates the floor once in a process, and keeps it. The allocation counts as live, so the heap may double from it.
// It is never written to, so the kernel gives it no memory. But it counts for GOMEMLIMIT, so a small limit has a part of it.
func raiseHeap(memory config.Memory) {
	if ballast.Load() == nil {
		floor := newHeapFloor(int(memory.Part(heapFloor)))
		ballast.CompareAndSwap(nil, &floor)
	}
}

func newHeapFloor(size int) []byte {
	b := make([]byte, size)
	releasePages(b)
	return b
}
