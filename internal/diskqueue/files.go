package diskqueue

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

func syncDir(path string) error { return syncPath(path, os.O_RDONLY) }

func syncFile(path string) error { return syncPath(path, os.O_RDWR) }

func syncPath(path string, flag int) error {
	f, err := os.OpenFile(path, flag, 0) //nolint:gosec // a path from the configuration
	if err != nil {
		return fmt.Errorf("syncing: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing is written
	// Some file systems cannot sync a directory, and need not.
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !os.IsPermission(err) && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("syncing %s: %w", path, err)
	}
	return nil
}
