package contentcoding

import (
	"io"

	"github.com/txn2/rtbeat/internal/pace"
)

// source is the wire for the decoders. They read a few KiB at a time. So Read can interrupt a body that unpacks to nothing for
// long, and lets other goroutines run.
type source struct {
	rest        []byte
	interrupted func() error // an error stops the reading
	pace        pace.Pace
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if err := s.interrupted(); err != nil {
		return 0, err
	}
	s.pace.Step()
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
