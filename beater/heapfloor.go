package beater

import "sync"

// heapFloor is how far the heap may grow, at least, before garbage is collected. Go collects when the live heap has doubled. With
// little in flight rtbeat's live heap is 5 MB, and four senders would cause sixty collections a second: a tenth of the processor.
const heapFloor = 32 << 20

// raiseHeap allocates the floor once in a process, and keeps it. The allocation counts as live, so the heap may double from it.
// It is never written to, so the kernel gives it no memory. It counts for GOMEMLIMIT: a small limit leaves less for garbage.
var raiseHeap = sync.OnceValue(newHeapFloor)

func newHeapFloor() []byte {
	b := make([]byte, heapFloor)
	releasePages(b)
	return b
}
