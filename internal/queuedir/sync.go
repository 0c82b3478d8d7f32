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
	}
	if err := d.makeAhead(); err != nil {
		return err
	}
	for len(d.ahead) > 0 && d.ahead[0].written() {
		s := d.ahead[0]
		d.ahead = d.ahead[1:]
		if err := d.advance(s); err != nil {
			return err
		}
		if err := d.makeAhead(); err != nil {
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
	d.current = s
	return errors.Join(s.sync(), syncDir(d.path))
}

// find takes the newest segment for the current one, where libbeat did not write to those that were made ahead.
func (d *Dir) find() error {
	d.closeAhead()
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
	d.next = id + 1
	if err := d.advance(&segment{id, f}); err != nil {
		return err
	}
	return d.makeAhead()
}

// makeAhead makes segments until there are enough, or there is no room. libbeat opens a segment without looking whether
// it exists (getWriter in segments.go). One that was written to before it is open here is an error: what went wrong with
// it, libbeat alone was told.
func (d *Dir) makeAhead() error {
	for len(d.ahead) < d.many {
		f, err := os.OpenFile(segmentPath(d.path, d.next), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil //nolint:nilerr // the next Sync tries again
		}
		s := &segment{d.next, f}
		if s.written() {
			s.close()
			return fmt.Errorf("segment %d was written to before it was open here", d.next)
		}
		d.ahead = append(d.ahead, s)
		d.next++
	}
	return nil
}

func (d *Dir) closeAhead() {
	for _, s := range d.ahead {
		s.close()
	}
	d.ahead = nil
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
