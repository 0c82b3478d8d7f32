package beater

import "golang.org/x/sys/unix"

// disown gives the memory back to the kernel, until it is touched. The runtime clears a span that it had in use before.
// Where the kernel refuses, the ballast takes what it is long, and works all the same.
func disown(memory []byte) { _ = unix.Madvise(memory, unix.MADV_DONTNEED) }
