package auth

import (
	"strings"
	"time"
)

// Settings are who may send batches.
type Settings struct {
	// Bearer is a token in the Authorization header (RFC 6750).
	Bearer Bearer `config:"bearer"`

	// Basic is a user and a password in the Authorization header (RFC 7617).
	Basic Basic `config:"basic"`

	// Header is a token in a header of its own, such as X-Gitlab-Token.
	Header Header `config:"header"`

	// HMAC is a signature over the body as it is sent: HMAC with SHA-256.
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

// HMAC is a signature over the body. Headers are not signed unless `signed` has them: without TLS, anybody between the sender and
// rtbeat can change them.
type HMAC struct {
	// Keys are the keys of [signatures](#signatures): HMAC-SHA256 over the body as it is sent. They are a list, or a group with a
	// [name](#names-of-senders) for each. A signature with any of them is good. Empty
	// switches signatures off.
	Keys Secrets `config:"keys"`

	// KeyEncoding is how the text of a key stands for its bytes. `text`: the text is the key, and rtbeat decodes nothing. `base64`:
	// rtbeat decodes the text, without the prefix `whsec_` of Standard Webhooks.
	KeyEncoding string `config:"key_encoding" show:"text"`

	// Header is the request header with the signature. `Authorization` is refused.
	Header string `config:"header"`

	// Prefix is the text before the signature in that header. It may be empty.
	Prefix string `config:"prefix"`

	// Separator is the character between the elements of that header, if it has several: `,`, `;` or a space. rtbeat tries the
	// elements that begin with the prefix, 8 at most, and one right signature is enough. Empty: the whole value is the signature.
	Separator string `config:"separator"`

	// Encoding is the text form of a signature: `hex`, in digits of either case, or `base64`.
	Encoding string `config:"encoding" show:"text"`

	// Signed is the [text that the sender signs](#other-forms-of-signatures), made of `{timestamp}`, `{body}`, `{header:NAME}` and
	// other characters. It has `{body}` once. A header that it names must occur once in a request. Empty is `{body}`, or
	// `{timestamp}.{body}` with `timestamp_header`.
	Signed string `config:"signed"`

	// TimestampHeader is the request header with the time of signing, in Unix seconds. It may be the header of the signature, if that
	// has elements. Empty: a signature is good for ever.
	TimestampHeader string `config:"timestamp_header"`

	// TimestampPrefix is the text before the time, such as `t=`.
	TimestampPrefix string `config:"timestamp_prefix"`

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
	return Settings{Header: Header{Name: "X-Api-Key"}, HMAC: HMAC{
		KeyEncoding: encodingText, Header: "X-Signature", Prefix: "sha256=", Encoding: encodingHex, Window: 5 * time.Minute,
	}}
}

// The encodings of keys and signatures.
const (
	encodingText   = "text"
	encodingHex    = "hex"
	encodingBase64 = "base64"
)

// IsSet tells whether a request needs a credential.
func (s *Settings) IsSet() bool {
	return len(s.Bearer.Tokens)+len(s.Header.Values)+len(s.HMAC.Keys)+len(s.Certificate.Names) > 0 || s.Basic.isSet()
}

// SentSecrets names the schemes in force that send the secret itself. key is the full name of the auth group, as in Check.
func (s *Settings) SentSecrets(key string) string {
	var schemes []string
	if len(s.Bearer.Tokens) > 0 {
		schemes = append(schemes, key+".bearer")
	}
	if s.Basic.isSet() {
		schemes = append(schemes, key+".basic")
	}
	if len(s.Header.Values) > 0 {
		schemes = append(schemes, key+".header")
	}
	return strings.Join(schemes, " and ")
}

func (b *Basic) isSet() bool { return b.Username != "" }
