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
	"slices"
	"strings"
	"time"

	"github.com/txn2/rtbeat/internal/inflight"
)

// readStart is the size of the buffer that a body is read into at first.
const readStart = 4 << 10

// checkHeaders refuses, before the body is read, what its headers already rule out.
func checkHeaders(req *http.Request, maxBody int64) (refusal outcome, refused bool) {
	if req.ContentLength > maxBody {
		return bodyTooLarge, true
	}
	if encoding := req.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return unsupportedEncoding, true
	}
	contentType := req.Header.Get("Content-Type")
	if contentType == "" { // taken for JSON: rtbeat reads nothing else
		return 0, false
	}
	media, params, err := mime.ParseMediaType(contentType)
	charset := strings.ToLower(params["charset"])
	if err != nil || media != "application/json" || (charset != "" && charset != "utf-8") {
		return unsupportedType, true
	}
	return 0, false
}

// read reads the whole body into memory. What arrives is reserved as it arrives, and the buffer grows only with it:
// a sender that announces much and sends little holds little.
func (h *handler) read(w http.ResponseWriter, req *http.Request, reservation *inflight.Reservation) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(h.readTimeout)) // not supported by a test's recorder

	source := http.MaxBytesReader(w, req.Body, h.maxBody) // tells net/http to close the connection after the answer
	body := make([]byte, 0, readStart)
	defer func() { h.metrics.Read(len(body)) }()
	for {
		if len(body) == cap(body) {
			body = slices.Grow(body, len(body))
		}
		n, err := source.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
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
		case err != nil:
			return nil, fmt.Errorf("reading the body: %w", err)
		}
	}
}

var errBadTrailer = errors.New("malformed trailer after the body")

// readOutcome maps an error of read.
func readOutcome(ctx context.Context, err error) outcome {
	var netErr net.Error
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return bodyTooLarge
	case errors.Is(err, inflight.ErrFull):
		return inFlightLimit
	case errors.Is(context.Cause(ctx), errStopping):
		return stopping
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return bodyTimeout
	default: // cut off, or malformed chunks
		return bodyTruncated
	}
}
