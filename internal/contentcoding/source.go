package contentcoding

import (
	"io"

	"github.com/txn2/rtbeat/internal/pace"
)

// source is the wire as the decoders read it. They ask for a few KiB at a time, so this is where a body
// that keeps a decoder busy without unpacking to anything is interrupted, and gives way.
type source struct {
	rest        []byte
	interrupted func() error // why to stop reading, nil as long as there is no reason
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
