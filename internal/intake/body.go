package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"time"

	"github.com/txn2/rtbeat/internal/inflight"
)

// readStart is the size of the first buffer of a body whose announced length is not smaller.
const readStart = 4 << 10

// readMost is how much of a body is read at a time. A sender on a fast network always has more.
const readMost = 64 << 10

// grow doubles the buffer of a body, but not beyond the announced length, which is -1 where there is none. One byte more than
// announced shows the end of the body without growing again.
func grow(body []byte, announced int64) []byte {
	size := max(2*len(body), readStart)
	if enough := announced + 1; enough > int64(len(body)) && enough < int64(size) {
		size = int(enough)
	}
	return append(make([]byte, 0, size), body...) // slices.Grow would add a quarter only
}

// read reads the whole body into memory, as it comes over the wire. Each chunk is reserved as it arrives, and the buffer grows
// only with it: a sender that announces much and sends little holds little. Until the body is complete, the request and its
// bytes may be evicted.
func (p *post) read() (body []byte, err error) {
	control := http.NewResponseController(p.w)
	deadline := time.Now().Add(p.ReadTimeout)
	_ = control.SetReadDeadline(deadline) // not supported by a test's recorder

	stop := func() { _ = control.SetReadDeadline(time.Unix(1, 0)) }
	defer context.AfterFunc(p.req.Context(), func() {
		if errors.Is(context.Cause(p.req.Context()), errStopping) { // net/http does not end the read of a body
			stop()
		}
	})()
	p.requestSlot.BeginRead(stop)
	p.reservation.BeginRead(stop)
	defer func() {
		if kept, reserved := p.requestSlot.EndRead(), p.reservation.EndRead(); !kept || !reserved {
			body, err = nil, inflight.ErrFull
		}
	}()
	source := http.MaxBytesReader(p.w, p.req.Body, int64(p.MaxBody)) // tells net/http to close the connection after the answer
	read := 0
	defer func() { p.counters.bytes.Add(float64(read)) }()
	for {
		if len(body) == cap(body) {
			body = grow(body, p.req.ContentLength)
		}
		n, err := source.Read(body[len(body):min(cap(body), len(body)+readMost)])
		body = body[:len(body)+n]
		read += n
		if growErr := p.reservation.Grow(int64(n)); growErr != nil {
			return nil, growErr
		}
		if errors.Is(err, io.EOF) {
			// Remove the deadline: net/http goes on reading, to notice a sender that leaves. After a failure the
			// deadline stays: net/http then reads the rest of the body, which may never end.
			_ = control.SetReadDeadline(time.Time{})
			return body, nil
		}
		if err != nil {
			return nil, p.readError(err, deadline)
		}
	}
}

// readError says why the body could not be read.
func (p *post) readError(err error, deadline time.Time) error {
	var network net.Error
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return errBodyTooLarge
	case errors.Is(context.Cause(p.req.Context()), errStopping):
		return errStopping
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("reading the body: %w", err)
	case errors.As(err, new(textproto.ProtocolError)): // its text quotes the trailer
		return errBadTrailer
	case !time.Now().Before(deadline), // net/http says otherwise of a trailer that does not end
		errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("%w: %w", errBodyTimeout, err)
	default: // cut off, or malformed chunks
		return fmt.Errorf("%w: %w", errBodyTruncated, err)
	}
}
