package auth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/txn2/rtbeat/internal/setting"
)

// check applies the rules of signatures. Names and forms are checked without keys as well.
func (h *HMAC) check(key string) error {
	if err := checkHeaderName(key+".header", h.Header, "X-Signature"); err != nil {
		return err
	}
	if strings.EqualFold(h.Header, headerAuthorization) {
		return fmt.Errorf("%s.header is Authorization, the header of tokens and passwords; use another header, such as X-Signature", key)
	}
	return cmp.Or(
		checkOneOf(key+".key_encoding", h.KeyEncoding, encodingText, encodingBase64),
		checkOneOf(key+".encoding", h.Encoding, encodingHex, encodingBase64),
		h.checkElements(key), h.checkTimestamp(key), h.checkSigned(key),
		setting.CheckDuration(key+".window", h.Window, 1), h.checkInUse(key),
	)
}

// checkOneOf does not repeat the value: somebody may have written a key there.
func checkOneOf(key, value string, allowed ...string) error {
	if !slices.Contains(allowed, value) {
		return fmt.Errorf("%s must be %s", key, strings.Join(allowed, " or "))
	}
	return nil
}

func (h *HMAC) checkElements(key string) error {
	switch {
	case h.Separator == "":
		return nil
	case !slices.Contains([]string{",", ";", " "}, h.Separator):
		return fmt.Errorf("%s.separator must be a comma, a semicolon or a space, in quotes", key)
	case strings.Contains(h.Prefix+h.TimestampPrefix, h.Separator):
		return fmt.Errorf("%s.separator is a part of a prefix, so no element would begin with it; use another", key)
	}
	return nil
}

func (h *HMAC) checkTimestamp(key string) error {
	if h.TimestampHeader == "" {
		if h.TimestampPrefix != "" {
			return fmt.Errorf("%s.timestamp_prefix is set without %[1]s.timestamp_header; give both, or leave both out", key)
		}
		return nil
	}
	if err := checkHeaderName(key+".timestamp_header", h.TimestampHeader, "X-Timestamp"); err != nil {
		return err
	}
	elements := h.Separator != "" && h.Prefix != "" && h.TimestampPrefix != "" &&
		!strings.HasPrefix(h.Prefix, h.TimestampPrefix) && !strings.HasPrefix(h.TimestampPrefix, h.Prefix)
	if strings.EqualFold(h.Header, h.TimestampHeader) && !elements {
		return fmt.Errorf("%s.header and %[1]s.timestamp_header are the same header; use two, or tell its elements apart with %[1]s.separator, prefix and timestamp_prefix, such as \",\", v1= and t=", key)
	}
	return nil
}

// checkSigned requires that the time is signed: anybody could replace another.
func (h *HMAC) checkSigned(key string) error {
	t, err := parseTemplate(h.signed())
	switch {
	case err != nil:
	case t.signs(h.Header):
		err = errors.New("names the header of the signature, which cannot sign itself; leave it out")
	case t.hasTime() && h.TimestampHeader == "":
		err = fmt.Errorf("has {timestamp}, and no header has the time; set %s.timestamp_header", key)
	case !t.hasTime() && h.TimestampHeader != "":
		err = fmt.Errorf("lacks {timestamp}, so anybody could change the time of %s.timestamp_header; add it", key)
	}
	if err != nil {
		return fmt.Errorf("%s.signed %w", key, err)
	}
	return nil
}

// checkInUse applies the rules that hold once there are keys.
func (h *HMAC) checkInUse(key string) error {
	if len(h.Keys) == 0 {
		return nil
	}
	err := h.Keys.check(key+".keys", func(key, value string) error {
		if _, err := h.keyOf(value); err != nil {
			return fmt.Errorf("%s is no base64; correct it, or set key_encoding to text", key)
		}
		return nil
	})
	err = cmp.Or(err, h.Keys.checkOwners(key+".keys", func(value string) string {
		decoded, _ := h.keyOf(value) // nil for a key that the error is about
		return string(decoded)
	}))
	if err != nil {
		return err
	}
	for _, header := range []struct{ key, name string }{{".header", h.Header}, {".timestamp_header", h.TimestampHeader}} {
		if slices.Contains(taken, http.CanonicalHeaderKey(header.name)) {
			return fmt.Errorf("%s%s is a header with another meaning; use another header, such as X-Signature", key, header.key)
		}
	}
	// A header carries printable characters, and loses white space at its ends (RFC 9110, 5.5).
	for _, prefix := range []struct{ key, text string }{{".prefix", h.Prefix}, {".timestamp_prefix", h.TimestampPrefix}} {
		if !isPrintable(prefix.text) || strings.HasPrefix(prefix.text, " ") {
			return fmt.Errorf("%s%s cannot begin the value of a header; use printable ASCII, such as sha256=", key, prefix.key)
		}
	}
	return nil
}
