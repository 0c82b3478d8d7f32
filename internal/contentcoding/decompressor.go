package contentcoding

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// readMost is how much is unpacked between two looks at the context and two calls of grow.
const readMost = 64 << 10

// Decompressor unpacks bodies, a limited number at a time. Any number of goroutines may use it at once; it starts
// none itself. It is made by New and has nothing to be closed.
type Decompressor struct {
	permits chan struct{} // one is in it for each decompression that is running

	mu   sync.Mutex
	idle []*decoders // those used last are used next, so that few of them grow
}

// New returns a Decompressor that runs at most concurrent decompressions at a time; less than one means one. Unpacking
// does nothing but compute, so more than there are processors only costs memory.
func New(concurrent int) *Decompressor {
	return &Decompressor{permits: make(chan struct{}, max(concurrent, 1))}
}

// Decompress returns the plain bytes of wire, the whole of a body in this coding.
//
// It reads until limit bytes are exceeded, by at most one; then it returns ErrTooLarge. A limit below zero is one of zero. grow is
// called with the number of bytes that are about to be kept, again and again until all are counted; when it returns an
// error, that is returned as it is. After an error grow is not called again, and what it counted is not kept. What is
// returned has no more capacity than it needs up to 256 KiB, and at most twice as much beyond.
//
// The other errors are ErrCorrupt, ErrUnsupported, each wrapped in a few words for the log, and context.Cause(ctx) once
// ctx has ended, be it in the queue for a decoder or while it unpacks. A body that fails comes without any bytes.
//
// Deflate means the zlib format (RFC 9110, section 8.4.1.2), but many senders leave its wrapping out and send the
// compressed data alone (RFC 1951). Both are read. They are told apart by the two bytes of a zlib header, the compression
// method and a check by 31; raw data begins like that only if padding that every compressor fills with zeros is not zero.
//
// With Identity nothing is copied: what is returned is wire, grow is not called, and only the limit counts. An empty wire
// unpacks to nothing in every coding: it is the empty body that is at fault then, not its coding. Whoever reads the
// plain bytes will say so.
//
// Of wire nothing is kept after the return. Decoders keep some of what they made of it until they are used again; it
// is never to be seen in another body.
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

	if ctx.Err() != nil { // select would choose at random
		return nil, context.Cause(ctx)
	}
	select {
	case d.permits <- struct{}{}:
		defer func() { <-d.permits }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}

	set := d.take()
	plain, err := set.decompress(ctx, coding, wire, limit, grow)
	d.put(set) // not deferred: a decoder that panicked is not trusted with another body
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

func (d *Decompressor) put(set *decoders) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.idle = append(d.idle, set)
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
		room := limit - int64(len(plain)) // never negative
		plain = withSpace(plain, room)
		into := plain[len(plain):min(cap(plain), len(plain)+readMost)]
		if room < int64(len(into)) {
			into = into[:room+1] // the one byte that shows that there are too many
		}

		n, err := decoder.Read(into)
		if int64(n) > room {
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

// explain translates an error of a decoder, or an end where the body has not ended. The texts of the
// decoders are left out: some tell more of the data than where it is wrong.
func (s *decoders) explain(err error, coding Coding, length int) error {
	if interrupted := s.wire.interrupted(); interrupted != nil { // a decoder may have made another error of it
		return interrupted
	}
	if unsupported(err) {
		return fmt.Errorf("%v with a window beyond 8 MiB or a dictionary: %w", coding, ErrUnsupported)
	}
	return fmt.Errorf("%v, after %d of %d bytes: %w", coding, length-s.unread(), length, ErrCorrupt)
}

// withSpace makes sure that at least one byte can be appended to plain without moving it. It doubles what has to
// grow, but not beyond what may come: room bytes, and the one too many.
func withSpace(plain []byte, room int64) []byte {
	if len(plain) < cap(plain) {
		return plain
	}
	more := int64(len(plain)) // at least that of scratch
	if room < more {
		more = room + 1
	}
	return append(make([]byte, 0, int64(len(plain))+more), plain...) // slices.Grow would add some more
}

// outOfScratch returns plain, or a copy of it as long as it never had to leave scratch.
func (s *decoders) outOfScratch(plain []byte) []byte {
	if len(plain) > len(s.scratch) {
		return plain
	}
	return bytes.Clone(plain)
}
