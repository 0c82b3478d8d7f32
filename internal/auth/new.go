package auth

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
)

// The settings as errors name them. Entries of a list are counted from 0, as everywhere in a beat's errors.
const (
	keyTokens          = "rtbeat.auth.bearer.tokens" //nolint:gosec // the name of a setting, not a token
	keyLogins          = "rtbeat.auth.basic"
	keyHMAC            = "rtbeat.auth.hmac"
	keyHMACKeys        = keyHMAC + ".keys"
	keyHeader          = keyHMAC + ".header"
	keyPrefix          = keyHMAC + ".prefix"
	keyTimestampHeader = keyHMAC + ".timestamp_header"
	keyWindow          = keyHMAC + ".window"
	keyNames           = "rtbeat.auth.certificate.names"
)

// New checks the settings and makes an Authenticator of them. It keeps none of their slices. The first setting that
// is not good is named in the error, with what to do, and never its value. Settings without anything give an
// Authenticator that lets everybody in.
func New(s Settings) (*Authenticator, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	a := &Authenticator{now: time.Now}
	for _, token := range s.BearerTokens {
		a.tokens = append(a.tokens, digestOf(token))
	}
	for _, login := range s.Logins {
		a.logins = append(a.logins, digestOf(login.Username+":"+login.Password))
	}
	if s.HMAC != nil {
		a.signer = &signer{
			header:          http.CanonicalHeaderKey(s.HMAC.Header),
			prefix:          s.HMAC.Prefix,
			timestampHeader: http.CanonicalHeaderKey(s.HMAC.TimestampHeader),
			window:          s.HMAC.Window,
		}
		for _, key := range s.HMAC.Keys {
			a.signer.keys = append(a.signer.keys, []byte(key))
		}
	}
	if s.CertificateNames != nil {
		a.names = newNames(s.CertificateNames)
	}
	return a, nil
}

func (s Settings) check() error {
	if err := checkEach(keyTokens, s.BearerTokens, checkToken); err != nil {
		return err
	}
	if err := checkEach(keyLogins, s.Logins, checkLogin); err != nil {
		return err
	}
	if s.HMAC != nil {
		if err := s.HMAC.check(); err != nil {
			return err
		}
	}
	return checkEach(keyNames, s.CertificateNames, checkName)
}

// checkEach checks the entries of a list, which is either nil or not empty.
func checkEach[T any](key string, entries []T, check func(key string, entry T) error) error {
	if entries != nil && len(entries) == 0 {
		return fmt.Errorf("%s is an empty list, which would let nobody or everybody in; leave it out, or put something in", key)
	}
	for i, entry := range entries {
		if err := check(fmt.Sprintf("%s.%d", key, i), entry); err != nil {
			return err
		}
	}
	return nil
}

// checkText refuses what no secret is on purpose: a variable that was not set, a file read with its line break.
func checkText(key, value string) error {
	switch {
	case strings.TrimSpace(value) == "":
		return fmt.Errorf("%s is empty; give it a value, or leave it out", key)
	case strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("%s has a control character, such as a line break at its end; remove it", key)
	default:
		return nil
	}
}

func checkToken(key, token string) error {
	if err := checkText(key, token); err != nil {
		return err
	}
	if !isToken68(token) {
		return fmt.Errorf("%s cannot be sent as a bearer token; use letters, digits and -._~+/ only, and = at the end", key)
	}
	return nil
}

// checkLogin names the settings without the place in the list: the configuration has one user.
func checkLogin(_ string, login Login) error {
	if err := checkText(keyLogins+".username", login.Username); err != nil {
		return err
	}
	if strings.Contains(login.Username, ":") {
		return errors.New(keyLogins + ".username has a colon, at which a user ends; choose another name")
	}
	return checkText(keyLogins+".password", login.Password)
}

// checkName checks the name of a certificate.
func checkName(key, name string) error {
	if err := checkText(key, name); err != nil {
		return err
	}
	if strings.TrimSpace(name) != name {
		return fmt.Errorf("%s has white space around it; remove it", key)
	}
	whole, _ := strings.CutPrefix(name, wildcard)
	if whole == "" || whole[0] == '.' || strings.Contains(whole, "*") {
		return fmt.Errorf("%s is no whole name; use one, or *. and one, as in *.example.com", key)
	}
	return nil
}

func (h *HMACSettings) check() error {
	if len(h.Keys) == 0 {
		return fmt.Errorf("%s has no keys; put at least one in %s", keyHMAC, keyHMACKeys)
	}
	if err := checkEach(keyHMACKeys, h.Keys, checkText); err != nil {
		return err
	}
	if err := checkHeader(keyHeader, h.Header); err != nil {
		return err
	}
	// Nothing but what can stand in a header, and is not taken off its ends (RFC 9110, 5.5).
	if strings.ContainsFunc(h.Prefix, func(r rune) bool { return r < ' ' || r > '~' }) || strings.HasPrefix(h.Prefix, " ") {
		return errors.New(keyPrefix + " cannot stand at the beginning of a header; use printable ASCII, such as sha256=")
	}
	if h.TimestampHeader == "" {
		return nil
	}
	if err := checkHeader(keyTimestampHeader, h.TimestampHeader); err != nil {
		return err
	}
	if strings.EqualFold(h.Header, h.TimestampHeader) {
		return fmt.Errorf("%s and %s are the same header; use two", keyHeader, keyTimestampHeader)
	}
	if h.Window <= 0 {
		return fmt.Errorf("%s is no time; it must be positive, such as 5m", keyWindow)
	}
	return nil
}

// taken are the headers that a signature or its timestamp cannot be in: other credentials, and those which net/http
// uses itself or does not leave among the headers.
var taken = []string{
	headerAuthorization, "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Expect", "Host",
	"Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// checkHeader refuses what is no field name (RFC 9110, 5.1: a token, 5.6.2), and what is taken.
func checkHeader(key, name string) error {
	notInToken := func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r) }
	switch {
	case name == "" || strings.ContainsFunc(name, notInToken):
		return fmt.Errorf("%s is not the name of a header; use letters, digits and hyphens, such as X-Signature", key)
	case slices.Contains(taken, http.CanonicalHeaderKey(name)):
		return fmt.Errorf("%s is a header with another meaning; use one of its own, such as X-Signature", key)
	default:
		return nil
	}
}
