//go:build unix

package listen

import "syscall"

// manyFiles stands for no limit, fewFiles for one that is not known.
const (
	manyFiles = 1 << 20
	fewFiles  = 1024
)

// maxFiles is how many files the process may open.
func maxFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fewFiles
	}
	return min(uint64(limit.Cur), manyFiles) //nolint:unconvert // signed on some systems
}
