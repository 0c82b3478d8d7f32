package diskqueue

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// allocate reserves the space of a file on the disk: a full disk is an error here, and not in a commit.
func allocate(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // the file system, or a seccomp policy
		return f.Truncate(size)
	}
	return err
}

// isNoSpace tells whether an error says that the disk or the quota of the user is full.
func isNoSpace(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
