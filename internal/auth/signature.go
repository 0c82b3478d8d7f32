package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxTimestampDigits is enough until the year 33658, and nothing overflows. Milliseconds have 13 digits: a sender of milliseconds
// gets bad_timestamp, not stale_timestamp.
const maxTimestampDigits = 12

// maxSignatures bounds the signatures of a request. A sender that changes its key sends one for each key.
const maxSignatures = 8

// signer verifies signatures: HMAC with SHA-256 (RFC 2104) over a text that holds the body as sent.
//
// A template makes the text. An attacker who repeats a request could replace an unsigned timestamp, so a time that is configured is
// in the template. Headers are signed only if the template has them, and the path never is.
//
// The same request is accepted again within the window: a retry has the same bytes and the same signature. Dedupe handles
// retries. The window bounds how long an attacker can repeat a request.
type signer struct {
	keys            [][]byte
	names           []string // of the keys' owners, by index
	encoding        string
	header          string // in canonical form, as timestampHeader is
	separator       string // between the elements of header; empty when it has one
	prefix          string
	signed          template
	timestampHeader string // empty when timestamps are not signed
	timestampPrefix string
	window          time.Duration
}

// newSigner makes a signer of settings that check accepts.
func newSigner(h *HMAC) (*signer, error) {
	s := &signer{
		encoding:        h.Encoding,
		header:          http.CanonicalHeaderKey(h.Header),
		separator:       h.Separator,
		prefix:          h.Prefix,
		timestampHeader: http.CanonicalHeaderKey(h.TimestampHeader),
		timestampPrefix: h.TimestampPrefix,
		window:          h.Window,
	}
	for _, secret := range h.Keys {
		key, err := h.keyOf(secret.Value)
		if err != nil {
			return nil, err
		}
		s.keys, s.names = append(s.keys, key), append(s.names, secret.Name)
	}
	var err error
	s.signed, err = parseTemplate(h.signed())
	return s, err
}

// signed is the template in force.
func (h *HMAC) signed() string {
	switch {
	case h.Signed != "":
		return h.Signed
	case h.TimestampHeader != "":
		return "{timestamp}.{body}"
	default:
		return "{body}"
	}
}

// keyPrefix begins the text of a key of Standard Webhooks.
const keyPrefix = "whsec_"

// keyOf returns the bytes of a key.
func (h *HMAC) keyOf(text string) ([]byte, error) {
	if h.KeyEncoding != encodingBase64 {
		return []byte(text), nil
	}
	text = strings.TrimRight(strings.TrimPrefix(text, keyPrefix), "=")
	key, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(key) == 0 || strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("a key is no base64") // the error of the decoder has a position in the key
	}
	return key, nil
}

// claim is the signatures of a request, and the text that they sign around the body.
type claim struct {
	signatures    [maxSignatures][sha256.Size]byte
	count         int
	before, after string
}

// read reads the claim from the headers, and checks its form and age. signatures are the values of the header of the signature.
func (s *signer) read(signatures []string, header http.Header, now time.Time) (c claim, detail string, ok bool) {
	if len(signatures) != 1 || !s.readSignatures(signatures[0], &c) {
		return claim{}, BadSignature, false
	}
	timestamp := ""
	if s.timestampHeader != "" {
		if timestamp, ok = s.readTimestamp(header[s.timestampHeader]); !ok {
			return claim{}, BadTimestamp, false
		}
		at, ok := parseTimestamp(timestamp)
		if !ok {
			return claim{}, BadTimestamp, false
		}
		if now.Sub(at).Abs() > s.window {
			return claim{}, StaleTimestamp, false
		}
	}
	if c.before, c.after, ok = s.signed.text(timestamp, header); !ok {
		return claim{}, BadSignedHeader, false
	}
	return c, "", true
}

// readSignatures reads the elements that begin with the prefix. Each must have the form of a signature.
func (s *signer) readSignatures(value string, c *claim) bool {
	for element := range s.elements(value) {
		text, found := strings.CutPrefix(element, s.prefix)
		if !found {
			continue
		}
		if c.count == maxSignatures || !s.parse(text, &c.signatures[c.count]) {
			return false
		}
		c.count++
	}
	return c.count > 0
}

// elements returns the parts of the value of the header of the signature, without white space around them.
func (s *signer) elements(value string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if s.separator == "" {
			yield(value)
			return
		}
		for element := range strings.SplitSeq(value, s.separator) {
			if !yield(strings.Trim(element, " \t")) {
				return
			}
		}
	}
}

// parse reads a signature: hex digits of either case, or the one spelling in base64.
func (s *signer) parse(text string, into *[sha256.Size]byte) bool {
	if s.encoding == encodingBase64 {
		var decoded [sha256.Size + 2]byte // the decoder may write up to a multiple of three bytes
		if len(text) != base64.StdEncoding.EncodedLen(len(into)) {
			return false
		}
		n, err := strictBase64.Decode(decoded[:], []byte(text))
		copy(into[:], decoded[:])
		return err == nil && n == len(into)
	}
	if len(text) != hex.EncodedLen(len(into)) {
		return false
	}
	_, err := hex.Decode(into[:], []byte(text))
	return err == nil
}

// readTimestamp returns the text of the time. The time may be an element of the header of the signature.
func (s *signer) readTimestamp(values []string) (timestamp string, ok bool) {
	if len(values) != 1 {
		return "", false
	}
	if s.timestampHeader != s.header {
		return strings.CutPrefix(values[0], s.timestampPrefix)
	}
	found := 0
	for element := range s.elements(values[0]) {
		if text, is := strings.CutPrefix(element, s.timestampPrefix); is {
			timestamp = text
			found++
		}
	}
	return timestamp, found == 1
}

// parseTimestamp reads Unix seconds, which are digits only.
func parseTimestamp(text string) (time.Time, bool) {
	if len(text) > maxTimestampDigits || strings.Trim(text, "0123456789") != "" {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0), err == nil
}

// verify tells whether one of the keys makes one of the signatures, and returns the index of the key. It compares all, for the
// reason that digests.find gives.
func (s *signer) verify(c *claim, body []byte) (key int, ok bool) {
	found := 0
	for i := range s.keys {
		mac := s.sign(i, c.before, body, c.after)
		for j := range c.signatures[:c.count] {
			equal := subtle.ConstantTimeCompare(mac, c.signatures[j][:])
			key = subtle.ConstantTimeSelect(equal, i, key)
			found |= equal
		}
	}
	return key, found == 1
}

func (s *signer) sign(key int, before string, body []byte, after string) []byte {
	mac := hmac.New(sha256.New, s.keys[key])
	mac.Write([]byte(before))
	mac.Write(body)
	mac.Write([]byte(after))
	return mac.Sum(nil)
}

// challenge asks for a signature. The scheme is not registered, so the challenge names its headers.
func (s *signer) challenge() string {
	challenge := fmt.Sprintf("Signature realm=%q, header=%q", realm, s.header)
	if s.timestampHeader != "" && s.timestampHeader != s.header {
		challenge += fmt.Sprintf(", timestamp=%q", s.timestampHeader)
	}
	return challenge
}

// Sign puts the time and the signature of body into header, as a sender does. It uses the first key. A header that is signed and
// missing gets a random text, as an id.
func (h *HMAC) Sign(header http.Header, body []byte, now time.Time) error {
	s, err := newSigner(h)
	if err != nil {
		return err
	}
	timestamp, value := strconv.FormatInt(now.Unix(), 10), ""
	switch s.timestampHeader {
	case "":
	case s.header:
		value = s.timestampPrefix + timestamp + s.separator
	default:
		header.Set(s.timestampHeader, s.timestampPrefix+timestamp)
	}
	for _, p := range slices.Concat(s.signed.before, s.signed.after) {
		if p.header != "" && len(header[p.header]) == 0 {
			header.Set(p.header, rand.Text())
		}
	}
	before, after, ok := s.signed.text(timestamp, header)
	if !ok {
		return errors.New("a header that is signed is repeated")
	}
	signature := s.sign(0, before, body, after)
	text := hex.EncodeToString(signature)
	if s.encoding == encodingBase64 {
		text = base64.StdEncoding.EncodeToString(signature)
	}
	header.Set(s.header, value+s.prefix+text)
	return nil
}
