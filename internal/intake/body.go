package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"time"

	"github.com/txn2/rtbeat/internal/contentcoding"
	"github.com/txn2/rtbeat/internal/inflight"
)

// readStart is the size of the first buffer of a body whose announced length is not smaller.
const readStart = 4 << 10

// readMost is how much of a body is read at a time. A sender on a fast network always has more.
const readMost = 64 << 10

// form is how a body is to be read, as its headers say.
type form struct {
	coding contentcoding.Coding
	lines  bool // NDJSON
}

// checkHeaders refuses, before the body is read, what its headers already rule out.
func checkHeaders(req *http.Request, maxBody int64) (f form, refusal outcome, refused bool) {
	if req.ContentLength > maxBody {
		return f, bodyTooLarge, true
	}
	coding, err := contentcoding.Parse(req.Header.Values("Content-Encoding"))
	if err != nil {
		return f, unsupportedEncoding, true
	}
	lines, known := parseType(req.Header.Values("Content-Type"))
	if !known {
		return f, unsupportedType, true
	}
	return form{coding: coding, lines: lines}, 0, false
}

// acceptedTypes is what a 415 for the content type tells the sender.
const acceptedTypes = "application/json, application/x-ndjson"

// parseType tells the two kinds of body apart. No type at all is taken for JSON.
func parseType(values []string) (lines, known bool) {
	if len(values) == 0 {
		return false, true
	}
	media, params, err := mime.ParseMediaType(values[0])
	if charset := strings.ToLower(params["charset"]); err != nil || len(values) > 1 || charset != "" && charset != "utf-8" && charset != "utf8" {
		return false, false
	}
	switch media {
	case "application/json":
		return false, true
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return true, true
	default:
		return false, false
	}
}

// grow doubles the buffer of a body, but not beyond the announced length, which is -1 where there is none. One byte more than
// announced shows the end of the body without growing again.
func grow(body []byte, announced int64) []byte {
	size := max(2*len(body), readStart)
	if enough := announced + 1; enough > int64(len(body)) && enough < int64(size) {
		size = int(enough)
	}
	return append(make([]byte, 0, size), body...) // slices.Grow would add a quarter of what is there
}

// read reads the whole body into memory, as it comes over the wire. What arrives is reserved as it arrives, and the buffer
// grows only with it: a sender that announces much and sends little holds little. Until the body is complete, it may have to
// make room, and so may the request its place.
func (h *handler) read(w http.ResponseWriter, req *http.Request, place, reservation *inflight.Reservation) (body []byte, err error) {
	control := http.NewResponseController(w)
	deadline := time.Now().Add(h.readTimeout)
	_ = control.SetReadDeadline(deadline) // not supported by a test's recorder

	stop := func() { _ = control.SetReadDeadline(time.Unix(1, 0)) }
	place.Coming(stop)
	reservation.Coming(stop)
	defer func() {
		if placed, reserved := place.HasCome(), reservation.HasCome(); !placed || !reserved {
			body, err = nil, inflight.ErrFull
		}
	}()
	source := http.MaxBytesReader(w, req.Body, h.maxBody) // tells net/http to close the connection after the answer
	read := 0
	defer func() { h.metrics.Read(read) }()
	for {
		if len(body) == cap(body) {
			body = grow(body, req.ContentLength)
		}
		n, err := source.Read(body[len(body):min(cap(body), len(body)+readMost)])
		body = body[:len(body)+n]
		read += n
		if growErr := reservation.Grow(int64(n)); growErr != nil {
			return nil, growErr
		}
		switch {
		case errors.Is(err, io.EOF):
			// Without a deadline again: net/http goes on reading, to notice that the sender leaves while it waits.
			// After a failure it stays: net/http reads what is left of the body, and must not do so for ever.
			_ = control.SetReadDeadline(time.Time{})
			return body, nil
		case errors.As(err, new(textproto.ProtocolError)): // its text quotes the trailer
			return nil, errBadTrailer
		case err != nil && !time.Now().Before(deadline): // net/http says otherwise of a trailer that does not end
			return nil, fmt.Errorf("reading the body: %w: %w", os.ErrDeadlineExceeded, err)
		case err != nil:
			return nil, fmt.Errorf("reading the body: %w", err)
		}
	}
}

var errBadTrailer = errors.New("malformed trailer after the body")

// decompress undoes the content coding. The bytes of the wire are given back then.
func (h *handler) decompress(ctx context.Context, coding contentcoding.Coding, wire []byte, reservation *inflight.Reservation) ([]byte, error) {
	if coding == contentcoding.Identity {
		return wire, nil
	}
	body, err := h.decompressor.Decompress(ctx, coding, wire, h.maxBody, reservation.Grow)
	if err != nil {
		return nil, fmt.Errorf("decompressing the body: %w", err)
	}
	reservation.GiveBack(int64(len(wire)))
	return body, nil
}

// readOutcome maps an error of read and decompress.
func readOutcome(ctx context.Context, err error) outcome {
	var netErr net.Error
	switch {
	case errors.As(err, new(*http.MaxBytesError)), errors.Is(err, contentcoding.ErrTooLarge):
		return bodyTooLarge
	case errors.Is(err, contentcoding.ErrCorrupt):
		return corruptEncoding
	case errors.Is(err, contentcoding.ErrUnsupported):
		return unsupportedEncoding
	case errors.Is(err, inflight.ErrFull), errors.Is(err, errAckTimeout): // the time was spent in waiting for a turn
		return inFlightLimit
	case errors.Is(err, inflight.ErrTooLarge):
		return batchTooLarge
	case errors.Is(context.Cause(ctx), errStopping):
		return stopping
	case errors.Is(err, context.Canceled):
		return clientGone
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return bodyTimeout
	default: // cut off, or malformed chunks
		return bodyTruncated
	}
}
