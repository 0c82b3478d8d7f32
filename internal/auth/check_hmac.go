package auth

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/txn2/rtbeat/internal/setting"
)

// check applies the rules of signatures. The settings of names and forms are checked without keys as well.
func (h *HMAC) check(key string) error {
	header, timestamp := key+".header", key+".timestamp_header"
	if err := checkHeaderName(header, h.Header, "X-Signature"); err != nil {
		return err
	}
	if strings.EqualFold(h.Header, headerAuthorization) {
		return fmt.Errorf("%s is Authorization, the header of tokens and passwords; use another header, such as X-Signature", header)
	}
	if h.TimestampHeader != "" {
		if err := checkHeaderName(timestamp, h.TimestampHeader, "X-Timestamp"); err != nil {
			return err
		}
		if strings.EqualFold(h.Header, h.TimestampHeader) {
			return fmt.Errorf("%s and %s are the same header; use two", header, timestamp)
		}
	}
	return cmp.Or(setting.CheckDuration(key+".window", h.Window, 1), h.checkInUse(key))
}

// checkInUse applies the rules that hold once there are keys.
func (h *HMAC) checkInUse(key string) error {
	if len(h.Keys) == 0 {
		return nil
	}
	if err := h.Keys.check(key+".keys", checkAny); err != nil {
		return err
	}
	for _, header := range []struct{ key, name string }{{".header", h.Header}, {".timestamp_header", h.TimestampHeader}} {
		if slices.Contains(taken, http.CanonicalHeaderKey(header.name)) {
			return fmt.Errorf("%s%s is a header with another meaning; use another header, such as X-Signature", key, header.key)
		}
	}
	// A header carries printable characters, and loses white space at its ends (RFC 9110, 5.5).
	if !isPrintable(h.Prefix) || strings.HasPrefix(h.Prefix, " ") {
		return fmt.Errorf("%s.prefix cannot begin the value of a header; use printable ASCII, such as sha256=", key)
	}
	return nil
}
