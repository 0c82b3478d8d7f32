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

// maxTimestampDigits is enough until the year 33658, and nothing overflows. Milliseconds have 13 digits: a sender of milliseconds
// gets bad_timestamp, not stale_timestamp.
const maxTimestampDigits = 12

// signer verifies signatures: HMAC-SHA256 (RFC 2104) over the body as sent, in hex.
//
// With a header for timestamps, the sender signs the text of that header, a dot, and the body. An attacker who repeats a request
// could replace an unsigned timestamp. No other header is signed, nor the path.
//
// The same request is accepted again within the window: a retry has the same bytes and the same signature. Dedupe handles
// retries. The window bounds how long an attacker can repeat a request.
type signer struct {
	keys            [][]byte
	names           []string // of the keys' owners, by index
	header          string   // in canonical form, as timestampHeader is
	prefix          string
	timestampHeader string // empty when timestamps are not signed
	window          time.Duration
}

// claim is the signature of a request, and the time of signing.
type claim struct {
	signature [sha256.Size]byte
	timestamp string // as sent; empty when timestamps are not signed
}

// read reads the claim from the headers, and checks its form and age. signatures are the values of the header of the signature.
func (s *signer) read(signatures []string, header http.Header, now time.Time) (c claim, detail string, ok bool) {
	if len(signatures) != 1 || !s.parse(signatures[0], &c.signature) {
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

// parse reads the exact prefix, and then the signature in hex digits of either case.
func (s *signer) parse(value string, into *[sha256.Size]byte) bool {
	digits, found := strings.CutPrefix(value, s.prefix)
	if !found || len(digits) != hex.EncodedLen(len(into)) {
		return false
	}
	_, err := hex.Decode(into[:], []byte(digits))
	return err == nil
}

// parseTimestamp reads Unix seconds, which are digits only.
func parseTimestamp(text string) (time.Time, bool) {
	if len(text) > maxTimestampDigits || strings.Trim(text, "0123456789") != "" {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0), err == nil
}

// verify tells whether one of the keys makes the signature, and returns the name of the key's owner. It tries all keys, for the
// reason that digests.find gives.
func (s *signer) verify(c claim, body []byte) (name string, ok bool) {
	found, at := 0, 0
	for i, key := range s.keys {
		equal := subtle.ConstantTimeCompare(s.sign(key, c.timestamp, body), c.signature[:])
		at = subtle.ConstantTimeSelect(equal, i, at)
		found |= equal
	}
	if found == 0 {
		return "", false
	}
	return s.names[at], true
}

func (s *signer) sign(key []byte, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	if s.timestampHeader != "" {
		mac.Write([]byte(timestamp + "."))
	}
	mac.Write(body)
	return mac.Sum(nil)
}

// challenge asks for a signature. The scheme is not registered, so the challenge names its headers.
func (s *signer) challenge() string {
	challenge := fmt.Sprintf("Signature realm=%q, header=%q", realm, s.header)
	if s.timestampHeader != "" {
		challenge += fmt.Sprintf(", timestamp=%q", s.timestampHeader)
	}
	return challenge
}
