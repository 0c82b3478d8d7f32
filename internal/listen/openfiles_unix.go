//go:build unix

package listen

import "syscall"

// maxFiles is how many files the process may open.
func maxFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // a usual limit
	}
	const unlimited = 1 << 20
	return min(uint64(limit.Cur), unlimited) //nolint:unconvert // signed on some systems
}
