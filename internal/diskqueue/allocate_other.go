//go:build !linux

package diskqueue

import (
	"errors"
	"os"
	"syscall"
)

// allocate makes a file as long as it is to be. A commit notices a full disk.
func allocate(f *os.File, size int64) error { return f.Truncate(size) }

// isNoSpace tells whether an error says that the disk is full.
func isNoSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) }
