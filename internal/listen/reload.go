package listen

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/elastic/elastic-agent-libs/transport/tlscommon"
)

const (
	// lookEvery is how often the files are checked, at most.
	lookEvery = time.Second
	// retryEvery is how often files that could not be read are read again without a change.
	retryEvery = time.Minute
	// readAttempts is how often files are read that change meanwhile.
	readAttempts = 3
)

// look reads the files again if they have changed. Other handshakes do not wait for it.
func (c *Certificates) look() {
	now := c.now()
	if len(c.files) == 0 || now.UnixNano() < c.lookNext.Load() || !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	c.lookNext.Store(now.Add(lookEvery).UnixNano())
	changed := !slices.EqualFunc(stamps(c.files), c.seen, stamp.equal)
	if !changed && (c.failed.IsZero() || now.Sub(c.failed) < retryEvery) {
		return
	}
	switch err := c.read(); {
	case err == nil:
		c.log.Info("the files of rtbeat.ssl have changed and are in use")
	case changed:
		c.log.Errorw("the files of rtbeat.ssl have changed and cannot be used: the former certificate stays in use", "error.message", err.Error())
	}
}

// read loads the files, and keeps their stamps. Files that change meanwhile are read again, because their content may not
// belong together. mu is held.
func (c *Certificates) read() error {
	var err error
	before := stamps(c.files)
	for range readAttempts {
		err = c.load()
		c.seen = before
		after := stamps(c.files)
		if slices.EqualFunc(before, after, stamp.equal) {
			break
		}
		before = after
	}
	c.failed = time.Time{}
	if err != nil {
		c.failed = c.now()
	}
	return err
}

// stamp is the state of a file without its content.
type stamp struct {
	info fs.FileInfo
	err  error // instead of info
}

func (s stamp) equal(other stamp) bool {
	if s.err != nil || other.err != nil {
		return fmt.Sprint(s.err) == fmt.Sprint(other.err)
	}
	return os.SameFile(s.info, other.info) && s.info.Size() == other.info.Size() &&
		s.info.Mode() == other.info.Mode() && s.info.ModTime().Equal(other.info.ModTime())
}

// stamps returns the stamps of files. It follows symbolic links: Kubernetes changes a secret by changing a link.
func stamps(files []string) []stamp {
	seen := make([]stamp, len(files))
	for i, file := range files {
		seen[i].info, seen[i].err = os.Stat(file)
	}
	return seen
}

// watched are the files in settings.
func watched(settings *tlscommon.ServerConfig) []string {
	certificate := settings.Certificate
	named := append([]string{certificate.Certificate, certificate.Key}, settings.CAs...)
	if certificate.Passphrase == "" { // tlscommon reads the file only then
		named = append(named, certificate.PassphrasePath)
	}
	return slices.DeleteFunc(named, func(name string) bool { return name == "" || tlscommon.IsPEMString(name) })
}
