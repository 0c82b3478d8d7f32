package queuedir

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// segment is the file of a segment, open here beside libbeat.
type segment struct {
	id   uint64
	file *os.File
}

func (s *segment) close() {
	if s != nil {
		_ = s.file.Close()
	}
}

func (s *segment) written() bool {
	info, err := s.file.Stat()
	return err == nil && info.Size() > 0
}

func (s *segment) sync() error {
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("syncing segment %d: %w", s.id, err)
	}
	return nil
}

// Sync makes sure that all that libbeat has written so far is on the disk. libbeat syncs before it acknowledges, but
// does not look at the result (processRequest in diskqueue/writer_loop.go). A failure to write is reported once to
// each open file, so that Sync learns of one that libbeat has passed over: each segment is opened here before libbeat
// writes to it.
//
// After a failure nothing can be said any more about what was written, and Sync fails for ever.
func (d *Dir) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = d.sync()
	}
	return d.err
}

func (d *Dir) sync() error {
	if d.current != nil {
		if err := d.current.sync(); err != nil {
			return err
		}
		if d.next == nil { // could not be made ahead: the disk was full
			d.makeNext(d.current.id + 1)
		}
	}
	for d.next != nil && d.next.written() {
		if err := d.advance(d.next); err != nil {
			return err
		}
	}
	if d.current == nil {
		return d.find()
	}
	return nil
}

// advance makes s the current segment.
func (d *Dir) advance(s *segment) error {
	d.current.close()
	d.current, d.next = s, nil
	if err := errors.Join(s.sync(), syncDir(d.path)); err != nil {
		return err
	}
	d.makeNext(s.id + 1)
	return nil
}

// find takes the newest segment for the current one, where libbeat did not write to the one that was made ahead.
func (d *Dir) find() error {
	d.next.close()
	d.next = nil
	ids, err := segments(d.path)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return errors.New("there is no segment")
	}
	id := ids[len(ids)-1]
	f, err := os.OpenFile(segmentPath(d.path, id), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return d.advance(&segment{id, f})
}

// makeNext makes a segment ahead. libbeat opens it without looking whether it exists (getWriter in segments.go).
func (d *Dir) makeNext(id uint64) {
	f, err := os.OpenFile(segmentPath(d.path, id), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return // Sync tries again
	}
	d.next = &segment{id, f}
}

// syncDir makes sure that the names in a directory are on the disk.
func syncDir(path string) error {
	f, err := os.Open(path) //nolint:gosec // a path from the configuration
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	// Some file systems cannot sync a directory, and need not.
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !os.IsPermission(err) && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("syncing %s: %w", path, err)
	}
	return nil
}
