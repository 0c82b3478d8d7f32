package contentcoding

import (
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// maxWindow is the largest window of zstd that a sender may use with HTTP (RFC 9659, section 3).
const maxWindow = 8 << 20

// unsupported reports whether a decoder refused a body that may be well-formed. A damaged body can look like that too.
func unsupported(err error) bool {
	for _, target := range []error{
		zlib.ErrDictionary, zstd.ErrUnknownDictionary, zstd.ErrWindowSizeExceeded, zstd.ErrDecoderSizeExceeded,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// decoders are what one decompression needs, to be used for another one afterwards. Each is made when a body needs
// it first. They are reset before they read, so nothing of a body can be seen by the next.
type decoders struct {
	wire     source
	buffered *bufio.Reader // over wire, for the decoders that read single bytes

	gzip gzip.Reader
	zlib io.ReadCloser
	raw  io.ReadCloser
	zstd *zstd.Decoder

	// scratch takes the output as long as it fits. The length is known afterwards, so that most bodies need one
	// buffer, of the right size, instead of some that were too small and one that is too large.
	scratch [256 << 10]byte
}

// open returns the decoder for the wire, which is in one of the three real codings. Its Read returns io.EOF only after the last part of the body and all
// checksums were right, but it may leave bytes unread.
func (s *decoders) open(coding Coding) (io.Reader, error) {
	switch coding {
	case Gzip:
		s.rebuffer()
		return (*members)(s), s.nextMember()
	case Deflate:
		if zlibHeader(s.wire.rest) {
			s.rebuffer()
			return s.openZlib()
		}
		s.rebuffer()
		return s.openRaw()
	default:
		return s.openZstd()
	}
}

func (s *decoders) rebuffer() {
	if s.buffered == nil {
		s.buffered = bufio.NewReader(&s.wire)
		return
	}
	s.buffered.Reset(&s.wire)
}

// unread is how many bytes of the wire no decoder has taken yet.
func (s *decoders) unread() int {
	n := len(s.wire.rest)
	if s.buffered != nil {
		n += s.buffered.Buffered()
	}
	return n
}

// release lets go of the body. That of a decoder's input is enough: what decoders keep besides is what they copied.
func (s *decoders) release() {
	s.wire = source{}
	if s.buffered != nil {
		s.buffered.Reset(nil)
	}
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
		return s.zlib, resetter.Reset(s.buffered, nil)
	}
	decoder, err := zlib.NewReader(s.buffered)
	if err != nil {
		return nil, err // and no decoder to keep
	}
	s.zlib = decoder
	return decoder, nil
}

func (s *decoders) openRaw() (io.Reader, error) {
	if resetter, ok := s.raw.(flate.Resetter); ok {
		return s.raw, resetter.Reset(s.buffered, nil)
	}
	s.raw = flate.NewReader(s.buffered)
	return s.raw, nil
}

func (s *decoders) openZstd() (io.Reader, error) {
	if s.zstd == nil {
		decoder, err := zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(1), // no goroutines
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow),
			zstd.WithDecodeBuffersBelow(0), // would unpack the whole of a small body before its size is known
		)
		if err != nil {
			return nil, err
		}
		s.zstd = decoder
	}
	return s.zstd, s.zstd.Reset(&s.wire)
}

// members reads the members of a gzip body one after the other as one text (RFC 1952, section 2.2). The decoder could
// do so by itself, but takes a last member that breaks off in the name of its file for the end of the body.
type members decoders

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.gzip.Read(p)
		switch {
		case !errors.Is(err, io.EOF):
			return n, err
		case n > 0:
			return n, nil // the end comes again
		case (*decoders)(m).unread() == 0:
			return 0, io.EOF
		}
		if err := (*decoders)(m).nextMember(); err != nil {
			return 0, err
		}
	}
}

// nextMember reads the header of a member that has to be there.
func (s *decoders) nextMember() error {
	err := s.gzip.Reset(s.buffered)
	s.gzip.Multistream(false)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
