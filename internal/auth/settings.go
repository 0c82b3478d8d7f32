package auth

import (
	"time"
)

// What a configuration has where it says nothing. New does not put them in: an empty header or window is an error, so
// that a setting which was emptied by mistake does not pass for its default.
const (
	DefaultSignatureHeader = "X-Signature"
	DefaultWindow          = 5 * time.Minute
)

// Settings say who may come in. What is nil is not configured; a list that is empty and not nil is an error, because
// somebody meant to keep strangers out and it would let them in.
type Settings struct {
	// BearerTokens are the tokens that are good in "Authorization: Bearer" (RFC 6750, 2.1). Several of them serve to
	// replace one: add the new, change the senders, remove the old. A token has letters, digits, "-._~+/", and "=" at its
	// end: no other can be sent. Tokens are not taken from the query or the body.
	BearerTokens []string

	// Logins are the users that are good in "Authorization: Basic" (RFC 7617). The same user may stand there with several
	// passwords, again to replace one.
	Logins []Login

	// HMAC is how bodies are signed.
	HMAC *HMACSettings

	// CertificateNames are who may come in with a certificate that the server has verified. A name is compared exactly
	// with the certificate's URIs, mail addresses and common name, and without regard to case with its DNS names. A
	// leading "*." stands for one label of a DNS name: "*.example.com" lets a.example.com in, not example.com nor
	// a.b.example.com. It says nothing about common names. A URI is compared as net/url writes it, with a scheme in lower
	// case.
	CertificateNames []string
}

// Login is a user and a password, neither of them empty or with control characters; the user has no colon.
type Login struct {
	Username string
	Password string
}

// HMACSettings say how a sender signs: hex(HMAC-SHA256(key, body)), with the body as it is sent, compressed if it is
// sent compressed. The digits may have either case. Other headers are not signed, so whoever sits on the way can change
// what rtbeat takes from them.
type HMACSettings struct {
	// Keys are the keys, any of which is good; several serve to replace one. The bytes of the text are the key, so what
	// looks like hex or base64 is not decoded. A key should be as long and as random as its result, 32 bytes.
	Keys []string

	// Header is where the signature stands, once: DefaultSignatureHeader or another. It cannot be Authorization, nor one
	// that HTTP itself uses.
	Header string

	// Prefix stands before the hex digits, such as "sha256=". It is compared exactly, and may be empty.
	Prefix string

	// TimestampHeader is where the time of signing stands, as Unix seconds. When it is not empty the sender signs
	// timestamp + "." + body, with the timestamp as it stands in the header. When it is empty a signature is good for as
	// long as its key.
	TimestampHeader string

	// Window is how far the timestamp may be from the time here, in either direction; exactly as far is still good. It
	// means nothing without TimestampHeader. Within it the same request comes in as often as it is sent.
	Window time.Duration
}
