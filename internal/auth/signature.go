package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxTimestampDigits is enough until the year 33658. Milliseconds have a digit more today, so a sender that sends them is
// told that the timestamp is bad, not that it is stale; and nothing overflows.
const maxTimestampDigits = 12

// signer knows how requests are signed: HMAC-SHA256 (RFC 2104) over the body as sent, in hex.
//
// With a header for timestamps, what is signed is the timestamp as it stands in that header, a dot, and the body. A
// timestamp that is not signed would prove nothing: whoever repeats a request could write a new one. Nothing else is
// signed, no other header and not the path.
//
// The same request may come in again within the window, on purpose. A sender that got no answer sends the same bytes
// again, with the signature that it has, and remembering signatures would refuse exactly those. What is repeated while
// it is in flight or just delivered joins its original; the window is what bounds a repetition by somebody else.
type signer struct {
	keys            [][]byte
	header          string // in canonical form, like the next
	prefix          string
	timestampHeader string // empty when timestamps are not signed
	window          time.Duration
}

// claim is what a request says about its body.
type claim struct {
	signature [sha256.Size]byte
	timestamp string // as sent; empty when timestamps are not signed
}

// read takes the claim from the headers, and judges its form and its age. lines are those of the signature's header.
func (s *signer) read(lines []string, header http.Header, now time.Time) (c claim, detail Detail, ok bool) {
	if len(lines) != 1 || !s.parse(lines[0], &c.signature) {
		return claim{}, BadSignature, false
	}
	if s.timestampHeader == "" {
		return c, "", true
	}
	timestamps := header[s.timestampHeader]
	if len(timestamps) != 1 {
		return claim{}, BadTimestamp, false
	}
	c.timestamp = timestamps[0]
	at, ok := parseTimestamp(c.timestamp)
	if !ok {
		return claim{}, BadTimestamp, false
	}
	if now.Sub(at).Abs() > s.window {
		return claim{}, StaleTimestamp, false
	}
	return c, "", true
}

// parse reads the prefix, exactly, and then the signature in hex digits of either case.
func (s *signer) parse(line string, into *[sha256.Size]byte) bool {
	digits, found := strings.CutPrefix(line, s.prefix)
	if !found || len(digits) != hex.EncodedLen(len(into)) {
		return false
	}
	_, err := hex.Decode(into[:], []byte(digits))
	return err == nil
}

// parseTimestamp reads Unix seconds: digits and nothing else.
func parseTimestamp(text string) (time.Time, bool) {
	if len(text) > maxTimestampDigits || strings.Trim(text, "0123456789") != "" {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0), err == nil
}

// verify tells whether one of the keys makes the claimed signature. It tries all of them, for the same reason as
// digests.contain.
func (s *signer) verify(c claim, body []byte) bool {
	found := 0
	for _, key := range s.keys {
		found |= subtle.ConstantTimeCompare(s.sign(key, c.timestamp, body), c.signature[:])
	}
	return found == 1
}

func (s *signer) sign(key []byte, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	if s.timestampHeader != "" {
		mac.Write([]byte(timestamp + "."))
	}
	mac.Write(body)
	return mac.Sum(nil)
}

// challenge asks for a signature. The scheme is no registered one, so it says which headers it means.
func (s *signer) challenge() string {
	challenge := fmt.Sprintf("Signature realm=%q, header=%q", realm, s.header)
	if s.timestampHeader != "" {
		challenge += fmt.Sprintf(", timestamp=%q", s.timestampHeader)
	}
	return challenge
}
