package auth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/txn2/rtbeat/internal/setting"
)

// Settings are who may send batches.
type Settings struct {
	// Bearer is a token in the Authorization header (RFC 6750).
	Bearer Bearer `config:"bearer"`

	// Basic is a user and a password in the Authorization header (RFC 7617).
	Basic Basic `config:"basic"`

	// Header is a token in a header of its own, such as X-Gitlab-Token.
	Header Header `config:"header"`

	// HMAC is a signature over the body as it is sent: HMAC with SHA-256, in hexadecimal digits of either case.
	HMAC HMAC `config:"hmac"`

	// Certificate is about client certificates. `ssl.client_authentication` asks for them.
	Certificate Certificate `config:"certificate"`
}

// Bearer is a token in the Authorization header.
type Bearer struct {
	// Tokens are the [tokens](#bearer-and-basic) that `Authorization: Bearer` may carry: a list, or a group with a
	// [name](#names-of-senders) for each. rtbeat accepts each, so that senders can move from an old token to a new one. A token has
	// letters, digits and `-._~+/`, with `=` at its end. Empty switches tokens off.
	Tokens Secrets `config:"tokens"`
}

// Basic is a user and a password in the Authorization header.
type Basic struct {
	// Username is the [user](#bearer-and-basic) in `Authorization: Basic`, without a colon. Empty switches users off.
	Username string `config:"username"`

	// Password is the password of that user.
	Password string `config:"password"`
}

// Header is a token in a header of its own.
type Header struct {
	// Name is the request header with a [token of its own](#token-in-a-header). It may be `Authorization`, for a sender whose value
	// has no scheme, while there are neither bearer tokens nor a user.
	Name string `config:"name"`

	// Values are the values that this header may have: a list, or a group with a [name](#names-of-senders) for each. A value is
	// printable ASCII, without spaces at its ends. Empty switches the header off.
	Values Secrets `config:"values"`
}

// HMAC is a signature over the body. Headers are not signed: without TLS, anybody between the sender and rtbeat can change
// them.
type HMAC struct {
	// Keys are the keys of [signatures](#signatures): HMAC-SHA256 over the body as it is sent, in hexadecimal. They are a list, or
	// a group with a [name](#names-of-senders) for each. Each key is good. The text is the key: rtbeat decodes nothing. Empty
	// switches signatures off.
	Keys Secrets `config:"keys"`

	// Header is the request header with the signature. `Authorization` is refused.
	Header string `config:"header"`

	// Prefix is the text before the signature in that header. It may be empty.
	Prefix string `config:"prefix"`

	// TimestampHeader is the request header with the time of signing, in Unix seconds. The sender then signs that time, a
	// full stop, and the body. Empty: the sender signs the body alone, and a signature is good for ever.
	TimestampHeader string `config:"timestamp_header"`

	// Window is how far the time of signing may be from the time of rtbeat, before or after. Within it, rtbeat accepts the same
	// request as often as it is sent.
	Window time.Duration `config:"window"`
}

// Certificate is which client certificates may send batches.
type Certificate struct {
	// Names are the accepted names of [client certificates](#client-certificates). A certificate needs one of them, as a DNS
	// name, an e-mail address, a URI, or its common name. rtbeat answers other certificates with 403. `*.example.com` is every
	// DNS name with one label more. Empty accepts every certificate that `ssl.certificate_authorities` signed.
	Names []string `config:"names"`
}

// DefaultSettings are the settings where the file says nothing. They accept every request.
func DefaultSettings() Settings {
	return Settings{Header: Header{Name: "X-Api-Key"}, HMAC: HMAC{Header: "X-Signature", Prefix: "sha256=", Window: 5 * time.Minute}}
}

// IsSet tells whether a request needs a credential.
func (s *Settings) IsSet() bool {
	return len(s.Bearer.Tokens)+len(s.Header.Values)+len(s.HMAC.Keys)+len(s.Certificate.Names) > 0 || s.Basic.isSet()
}

// SentSecrets names the schemes in force that send the secret itself.
func (s *Settings) SentSecrets() string {
	var schemes []string
	if len(s.Bearer.Tokens) > 0 {
		schemes = append(schemes, "rtbeat.auth.bearer")
	}
	if s.Basic.isSet() {
		schemes = append(schemes, "rtbeat.auth.basic")
	}
	if len(s.Header.Values) > 0 {
		schemes = append(schemes, "rtbeat.auth.header")
	}
	return strings.Join(schemes, " and ")
}

func (b *Basic) isSet() bool { return b.Username != "" }

// The settings as errors name them.
const (
	keyToken           = "rtbeat.auth.header.name"
	keyHeader          = "rtbeat.auth.hmac.header"
	keyTimestampHeader = "rtbeat.auth.hmac.timestamp_header"
	keyUsername        = "rtbeat.auth.basic.username"
	keyPassword        = "rtbeat.auth.basic.password" //nolint:gosec // the name of a setting
)

// Check applies the rules of the settings. An error names the setting, and never its value.
func (s *Settings) Check() error {
	return cmp.Or(
		s.Bearer.Tokens.check("rtbeat.auth.bearer.tokens", checkToken),
		s.Basic.check(),
		s.checkHeader(),
		s.HMAC.check(),
		s.Certificate.check(),
	)
}

// check counts names from 0, as everywhere in Beats.
func (c *Certificate) check() error {
	for i, name := range c.Names {
		key := fmt.Sprintf("rtbeat.auth.certificate.names.%d", i)
		if err := cmp.Or(setting.CheckText(key, name), checkName(key, name)); err != nil {
			return err
		}
	}
	return nil
}

func checkToken(key, token string) error {
	if !isToken68(token) {
		return fmt.Errorf("%s cannot be sent as a bearer token; use letters, digits and -._~+/ only, and = at the end", key)
	}
	return nil
}

func checkName(key, name string) error {
	if strings.TrimSpace(name) != name {
		return fmt.Errorf("%s has white space around it; remove it", key)
	}
	whole, _ := strings.CutPrefix(name, wildcard)
	if whole == "" || whole[0] == '.' || strings.Contains(whole, "*") {
		return fmt.Errorf("%s is no complete name; write one, or *. and one, as in *.example.com", key)
	}
	return nil
}

func (b *Basic) check() error {
	switch {
	case b.Username == "" && b.Password == "":
		return nil
	case b.Username == "":
		return errors.New(keyPassword + " is set without " + keyUsername + "; give both, or leave both out")
	case b.Password == "":
		return errors.New(keyUsername + " is set without " + keyPassword + "; give both, or leave both out")
	case strings.Contains(b.Username, ":"):
		return errors.New(keyUsername + " has a colon, which separates user and password in a request; choose another name")
	}
	return cmp.Or(setting.CheckText(keyUsername, b.Username), setting.CheckText(keyPassword, b.Password))
}

// checkHeader checks the header of tokens. It may have a name that means nothing else while there are no values.
func (s *Settings) checkHeader() error {
	h := &s.Header
	if err := checkHeaderName(keyToken, h.Name, "X-Api-Key"); err != nil || len(h.Values) == 0 {
		return err
	}
	switch name := http.CanonicalHeaderKey(h.Name); {
	case name != headerAuthorization && slices.Contains(taken, name):
		return errors.New(keyToken + " is a header with another meaning; use another header, such as X-Api-Key")
	case name == headerAuthorization && (len(s.Bearer.Tokens) > 0 || s.Basic.isSet()):
		return errors.New(keyToken + " is Authorization, which rtbeat.auth.bearer or rtbeat.auth.basic reads; use another header, or remove these")
	case len(s.HMAC.Keys) > 0 && (strings.EqualFold(name, s.HMAC.Header) || strings.EqualFold(name, s.HMAC.TimestampHeader)):
		return errors.New(keyToken + " is a header of rtbeat.auth.hmac; use another header, such as X-Api-Key")
	}
	return h.Values.check("rtbeat.auth.header.values", checkHeaderValue)
}

// checkHeaderValue refuses a text that a header does not carry as it is (RFC 9110, 5.5).
func checkHeaderValue(key, value string) error {
	if strings.TrimSpace(value) != value || !isPrintable(value) {
		return fmt.Errorf("%s cannot be the value of a header; use printable ASCII, without spaces at its ends", key)
	}
	return nil
}

func isPrintable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

func (h *HMAC) check() error {
	if err := checkHeaderName(keyHeader, h.Header, "X-Signature"); err != nil {
		return err
	}
	if strings.EqualFold(h.Header, headerAuthorization) {
		return errors.New(keyHeader + " is Authorization, the header of tokens and passwords; use another header, such as X-Signature")
	}
	if h.TimestampHeader != "" {
		if err := checkHeaderName(keyTimestampHeader, h.TimestampHeader, "X-Timestamp"); err != nil {
			return err
		}
		if strings.EqualFold(h.Header, h.TimestampHeader) {
			return errors.New(keyHeader + " and " + keyTimestampHeader + " are the same header; use two")
		}
	}
	return cmp.Or(setting.CheckDuration("rtbeat.auth.hmac.window", h.Window, 1), h.checkInUse())
}

func checkHeaderName(key, name, example string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("%s is not the name of a header; use letters, digits and hyphens, such as %s", key, example)
	}
	return nil
}

// checkInUse applies the rules that hold once there are keys.
func (h *HMAC) checkInUse() error {
	if len(h.Keys) == 0 {
		return nil
	}
	if err := h.Keys.check("rtbeat.auth.hmac.keys", checkAny); err != nil {
		return err
	}
	for _, header := range []struct{ key, name string }{{keyHeader, h.Header}, {keyTimestampHeader, h.TimestampHeader}} {
		if slices.Contains(taken, http.CanonicalHeaderKey(header.name)) {
			return fmt.Errorf("%s is a header with another meaning; use another header, such as X-Signature", header.key)
		}
	}
	// A header carries printable characters, and loses white space at its ends (RFC 9110, 5.5).
	if !isPrintable(h.Prefix) || strings.HasPrefix(h.Prefix, " ") {
		return errors.New("rtbeat.auth.hmac.prefix cannot begin the value of a header; use printable ASCII, such as sha256=")
	}
	return nil
}

// taken are the headers that can carry neither a token, nor a signature, nor its time. Some carry other credentials; net/http uses the
// others itself, or removes them.
var taken = []string{
	headerAuthorization, "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Expect", "Host",
	"Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}
