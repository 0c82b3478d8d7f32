package beater

import "golang.org/x/sys/unix"

// disown gives the memory back to the kernel, until it is touched. The runtime clears a span that it had in use before.
func disown(memory []byte) error { return unix.Madvise(memory, unix.MADV_DONTNEED) } //nolint:wrapcheck // one call
