package contentcoding

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"
)

// readMost is how many bytes are unpacked between two checks of the context and two calls of grow.
const readMost = 64 << 10

// Decompressor unpacks bodies, a limited number at a time. Make it with New. Any number of goroutines may use it at once. It
// starts no goroutine and needs no closing.
type Decompressor struct {
	running *semaphore.Weighted // holds 1 for each decompression

	mu   sync.Mutex
	idle []*decoders // a stack: the last used are used next, so that few grow
}

// New returns a Decompressor that runs at most concurrent decompressions at a time; less than one means one. Unpacking only
// computes, so more than one for each processor only costs memory.
func New(concurrent int) *Decompressor {
	return &Decompressor{running: semaphore.NewWeighted(int64(max(concurrent, 1)))}
}

// Decompress returns the plain bytes of wire, a whole body in this coding.
//
// It returns ErrTooLarge beyond limit bytes. It calls grow with each number of bytes before it keeps them, and returns an error of
// grow unchanged. After an error it does not call grow again. It returns context.Cause(ctx) when ctx ends, also while it waits for a
// decoder. The other errors are ErrCorrupt and ErrUnsupported, each wrapped in a text for the log. An error comes without bytes. The
// result has no spare capacity up to 256 KiB, and at most twice its length beyond.
//
// Deflate means the zlib format (RFC 9110, section 8.4.1.2), but many senders omit its header and checksum and send the
// compressed data alone (RFC 1951). Decompress reads both. It looks for the two bytes of a zlib header: the compression method
// and a check by 31. Raw data begins with them only if padding is not zero, and every compressor fills it with zeros.
//
// Identity copies nothing and does not call grow; the limit counts. An empty wire gives an empty result in every coding, so that
// the caller refuses the empty body and not its coding.
//
// Nothing refers to wire after the return. Decoders keep some unpacked bytes until they are used again; no other body gets them.
func (d *Decompressor) Decompress(
	ctx context.Context, coding Coding, wire []byte, limit int64, grow func(int64) error,
) ([]byte, error) {
	limit = max(limit, 0)
	switch {
	case coding < Identity || coding > Zstd:
		return nil, ErrUnsupported
	case len(wire) == 0:
		return nil, nil
	case coding == Identity && int64(len(wire)) > limit:
		return nil, ErrTooLarge
	case coding == Identity:
		return wire, nil
	}

	if d.running.Acquire(ctx, 1) != nil {
		return nil, context.Cause(ctx)
	}
	defer d.running.Release(1)
	set := d.take()
	plain, err := set.decompress(ctx, coding, wire, limit, grow)
	d.mu.Lock() // after a panic the decoders are not used again
	defer d.mu.Unlock()
	d.idle = append(d.idle, set)
	return plain, err
}

func (d *Decompressor) take() *decoders {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := len(d.idle) - 1
	if last < 0 {
		return new(decoders)
	}
	set := d.idle[last]
	d.idle = slices.Delete(d.idle, last, last+1)
	return set
}

// decompress is Decompress for the one goroutine that has these decoders.
func (s *decoders) decompress(
	ctx context.Context, coding Coding, wire []byte, limit int64, grow func(int64) error,
) ([]byte, error) {
	defer s.release()
	s.wire = source{rest: wire, interrupted: func() error { return context.Cause(ctx) }}
	decoder, err := s.open(coding)
	if err != nil {
		return nil, s.explain(err, coding, len(wire))
	}

	plain := s.scratch[:0]
	for {
		if err := s.wire.interrupted(); err != nil {
			return nil, err
		}
		s.wire.pace.Step()
		free := limit - int64(len(plain)) // never negative
		plain = withSpace(plain, free)
		into := plain[len(plain):min(cap(plain), len(plain)+readMost)]
		if free < int64(len(into)) {
			into = into[:free+1] // one more byte shows that there are too many
		}

		n, err := decoder.Read(into)
		if int64(n) > free {
			return nil, ErrTooLarge
		}
		if n > 0 {
			if err := grow(int64(n)); err != nil {
				return nil, err
			}
			plain = plain[:len(plain)+n]
		}
		if err == nil {
			continue
		}
		if errors.Is(err, io.EOF) && s.unread() == 0 {
			return s.outOfScratch(plain), nil
		}
		return nil, s.explain(err, coding, len(wire))
	}
}

// explain translates an error of a decoder, or an end before the end of the wire. It leaves out the texts of the decoders: some
// quote the data.
func (s *decoders) explain(err error, coding Coding, length int) error {
	if interrupted := s.wire.interrupted(); interrupted != nil { // a decoder may have replaced it
		return interrupted
	}
	if unsupported(err) {
		return fmt.Errorf("%v with a window beyond 8 MiB or a dictionary: %w", coding, ErrUnsupported)
	}
	return fmt.Errorf("%v, after %d of %d bytes: %w", coding, length-s.unread(), length, ErrCorrupt)
}

// withSpace returns plain with space for at least one byte more. It doubles a full buffer, but adds no more than free bytes and the
// one beyond the limit.
func withSpace(plain []byte, free int64) []byte {
	if len(plain) < cap(plain) {
		return plain
	}
	more := int64(len(plain)) // at least the length of scratch
	if free < more {
		more = free + 1
	}
	return append(make([]byte, 0, int64(len(plain))+more), plain...) // slices.Grow would add more
}

// outOfScratch returns plain, or a copy of it if it is in scratch.
func (s *decoders) outOfScratch(plain []byte) []byte {
	if len(plain) > len(s.scratch) {
		return plain
	}
	return bytes.Clone(plain)
}
