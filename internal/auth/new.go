package auth

import (
	"net/http"
	"time"
)

// New makes an Authenticator of settings that Check accepts. It keeps none of their slices. DefaultSettings give an
// Authenticator that lets everybody in.
func New(s Settings) (*Authenticator, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	a := &Authenticator{now: time.Now}
	for _, token := range s.Bearer.Tokens {
		a.tokens = append(a.tokens, digestOf(token))
	}
	if s.Basic.isSet() {
		a.logins = digests{digestOf(s.Basic.Username + ":" + s.Basic.Password)}
	}
	if len(s.HMAC.Keys) > 0 {
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
	if len(s.Certificate.Names) > 0 {
		a.names = newNames(s.Certificate.Names)
	}
	return a, nil
}
