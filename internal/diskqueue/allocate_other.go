//go:build !linux

package diskqueue

import (
	"errors"
	"os"
	"syscall"
)

// allocate sets the length of a file, without reserving space: a full disk is an error of a commit.
func allocate(f *os.File, size int64) error { return f.Truncate(size) }

// isNoSpace tells whether an error says that the disk is full.
func isNoSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) }
