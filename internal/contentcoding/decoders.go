package contentcoding

import (
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/txn2/rtbeat/internal/pace"
)

// maxWindow is the largest window of zstd that a sender may use with HTTP (RFC 9659, section 3).
const maxWindow = 8 << 20

// unsupported reports whether a decoder refused a body that may be well-formed. A damaged body can give the same error.
func unsupported(err error) bool {
	return errors.Is(err, zlib.ErrDictionary) || errors.Is(err, zstd.ErrUnknownDictionary) ||
		errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded)
}

// decoders are the decoders and buffers of one decompression, kept for the next one. Each is made when a body needs it first,
// and reset before it reads, so no body gets bytes of another.
type decoders struct {
	wire     source
	buffered bufio.Reader // over wire, for the decoders that read single bytes

	gzip gzip.Reader
	zlib io.ReadCloser
	raw  io.ReadCloser
	zstd *zstd.Decoder

	// scratch holds the output while it fits. The length is known afterwards, so most bodies need one buffer of the right size.
	scratch [256 << 10]byte
}

// open returns the decoder for the wire; coding is not Identity. Its Read returns io.EOF only after the last part of the body and
// all checksums were right. It may leave bytes unread.
func (s *decoders) open(coding Coding) (io.Reader, error) {
	switch coding {
	case Gzip:
		s.buffered.Reset(&s.wire)
		return (*members)(s), s.nextMember()
	case Deflate:
		s.buffered.Reset(&s.wire)
		if zlibHeader(s.wire.rest) {
			return s.openZlib()
		}
		return s.openRaw()
	default:
		return s.openZstd()
	}
}

// unread is the number of bytes of the wire that no decoder has read yet.
func (s *decoders) unread() int { return len(s.wire.rest) + s.buffered.Buffered() }

// release drops all references to the body. Decoders keep only copies beside their input.
func (s *decoders) release() {
	s.wire = source{}
	s.buffered.Reset(nil)
	s.gzip.Header = gzip.Header{} // up to 64 KiB of the body
}

// zlibHeader reports whether the data begins with a header of zlib (RFC 1950, section 2.2) rather than with a block of
// raw data: method 8, a window of at most 32 KiB, and a check that makes the two bytes a multiple of 31.
func zlibHeader(data []byte) bool {
	if len(data) < 2 {
		return false
	}
	cmf, flg := uint(data[0]), uint(data[1])
	return cmf&0x0f == 8 && cmf>>4 <= 7 && (cmf<<8|flg)%31 == 0
}

func (s *decoders) openZlib() (io.Reader, error) {
	if resetter, ok := s.zlib.(zlib.Resetter); ok {
		return s.zlib, resetter.Reset(&s.buffered, nil)
	}
	decoder, err := zlib.NewReader(&s.buffered)
	if err != nil {
		return nil, err // and no decoder to keep
	}
	s.zlib = decoder
	return decoder, nil
}

func (s *decoders) openRaw() (io.Reader, error) {
	if resetter, ok := s.raw.(flate.Resetter); ok {
		return s.raw, resetter.Reset(&s.buffered, nil)
	}
	s.raw = flate.NewReader(&s.buffered)
	return s.raw, nil
}

func (s *decoders) openZstd() (io.Reader, error) {
	if s.zstd == nil {
		decoder, err := zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(1), // no goroutines
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow),
			zstd.WithDecodeBuffersBelow(0), // otherwise a small body is unpacked whole, before its size is known
		)
		if err != nil {
			return nil, err
		}
		s.zstd = decoder
	}
	return s.zstd, s.zstd.Reset(&s.wire)
}

// members reads the members of a gzip body one after the other as one text (RFC 1952, section 2.2). The decoder can do that
// too, but takes a last member that is cut off in its file name for the end of the body.
type members decoders

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.gzip.Read(p)
		switch {
		case !errors.Is(err, io.EOF):
			return n, err
		case n > 0:
			return n, nil // the next Read returns io.EOF again
		case (*decoders)(m).unread() == 0:
			return 0, io.EOF
		}
		if err := (*decoders)(m).nextMember(); err != nil {
			return 0, err
		}
	}
}

// nextMember reads the header of the next member. Its absence is an error.
func (s *decoders) nextMember() error {
	err := s.gzip.Reset(&s.buffered)
	s.gzip.Multistream(false)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// source is the wire for the decoders. They read a few KiB at a time. So Read can interrupt a long body that unpacks to nothing,
// and lets other goroutines run.
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
