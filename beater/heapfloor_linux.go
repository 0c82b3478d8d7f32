package beater

import "golang.org/x/sys/unix"

// releasePages gives the memory back to the kernel until it is touched: the runtime clears a span that was in use before, which
// touches it. If madvise fails, the floor costs 32 MiB of resident memory and still works.
func releasePages(memory []byte) { _ = unix.Madvise(memory, unix.MADV_DONTNEED) }
