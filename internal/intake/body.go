package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/txn2/rtbeat/internal/inflight"
)

// readChunk is how much is read between two reservations.
const readChunk = 64 << 10

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

// read reads the whole body into memory. Each chunk is reserved as it arrives, so that what is held is what
// was really sent, chunked or not.
func (h *handler) read(w http.ResponseWriter, req *http.Request, reservation *inflight.Reservation) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(h.readTimeout)) // not supported by a test's recorder
	// Without a deadline again: net/http goes on reading, to notice that the sender leaves while it waits.
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()

	var body bytes.Buffer
	if n := req.ContentLength; n > 0 {
		body.Grow(int(min(n, 1<<20)) + bytes.MinRead) // a promise is not trusted with more than 1 MiB
	}
	for {
		n, err := io.CopyN(&body, req.Body, readChunk)
		h.metrics.Read(int(n))
		if int64(body.Len()) > h.maxBody {
			return nil, errBodyTooLarge
		}
		if growErr := reservation.Grow(n); growErr != nil {
			return nil, growErr
		}
		switch {
		case errors.Is(err, io.EOF):
			return body.Bytes(), nil
		case err != nil:
			return nil, fmt.Errorf("reading the body: %w", err)
		}
	}
}

var errBodyTooLarge = errors.New("body larger than the limit")

// readOutcome maps an error of read.
func readOutcome(ctx context.Context, err error) outcome {
	var netErr net.Error
	switch {
	case errors.Is(err, errBodyTooLarge):
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
