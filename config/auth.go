package config

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Auth is who may send batches. A request has to pass one of the schemes that are set, and Certificate on top of it.
// Secrets are written as ${NAME}, and come from the keystore or the environment.
type Auth struct {
	// Bearer is a token in the Authorization header.
	Bearer Bearer `config:"bearer"`

	// Basic is a user and a password in the Authorization header.
	Basic Basic `config:"basic"`

	// HMAC is a signature over the body.
	HMAC HMAC `config:"hmac"`

	// Certificate is about client certificates, which ssl.client_authentication asks for.
	Certificate Certificate `config:"certificate"`
}

// Bearer is a token in the Authorization header (RFC 6750).
type Bearer struct {
	// Tokens are the tokens, each of which is good: with two of them, the senders can move from the old one to the new.
	// Letters, digits and -._~+/ only, with = at the end. Empty switches this off.
	Tokens []string `config:"tokens"`
}

// Basic is a user and a password in the Authorization header (RFC 7617).
type Basic struct {
	// Username is the name of the user. Empty switches this off.
	Username string `config:"username"`

	// Password is the password of the user.
	Password string `config:"password"`
}

// HMAC is a signature over the body as it comes over the wire: HMAC with SHA-256, in hexadecimal.
type HMAC struct {
	// Keys are the keys of signatures (HMAC-SHA256 over the body as it is sent, in hexadecimal), each of which is good. A
	// key is its text: nothing is decoded. Empty switches this off.
	Keys []string `config:"keys"`

	// Header is the name of the request header that has the signature.
	Header string `config:"header"`

	// Prefix is what stands before the signature there.
	Prefix string `config:"prefix"`

	// TimestampHeader is the name of the request header that has the time of signing, in Unix seconds. What is signed is
	// then that time, a full stop, and the body. Empty means the body alone, and a signature that is good for ever.
	TimestampHeader string `config:"timestamp_header"`

	// Window is how far the time of signing may be from the time here, before or after.
	Window time.Duration `config:"window"`
}

// Certificate is which client certificates may send batches.
type Certificate struct {
	// Names are the names of which a client certificate needs one, as a DNS name, an e-mail address, a URI, or its common
	// name; others are answered 403. *.example.com is every DNS name with one label more. Empty takes every certificate
	// that ssl.certificate_authorities signed.
	Names []string `config:"names"`
}

// isSet tells whether a request has to come with anything at all.
func (a *Auth) isSet() bool {
	return len(a.Bearer.Tokens)+len(a.HMAC.Keys)+len(a.Certificate.Names) > 0 || a.Basic.Username != ""
}

// sentSecrets names the schemes that are set in which the secret itself travels.
func (a *Auth) sentSecrets() string {
	var schemes []string
	if len(a.Bearer.Tokens) > 0 {
		schemes = append(schemes, "rtbeat.auth.bearer")
	}
	if a.Basic.Username != "" {
		schemes = append(schemes, "rtbeat.auth.basic")
	}
	return strings.Join(schemes, " and ")
}

// checkAuth applies the rules for who may send. What a secret has to look like in a request is not known here.
func (c *Config) checkAuth() error {
	a := &c.Auth
	for _, list := range []struct {
		key     string
		entries []string
	}{
		{"auth.bearer.tokens", a.Bearer.Tokens},
		{"auth.hmac.keys", a.HMAC.Keys},
		{"auth.certificate.names", a.Certificate.Names},
	} {
		for i, entry := range list.entries {
			if err := checkEntry(fmt.Sprintf("%s.%d", list.key, i), entry); err != nil {
				return err
			}
		}
	}
	if err := a.Basic.check(); err != nil {
		return err
	}
	if err := a.HMAC.check(); err != nil {
		return err
	}
	if len(a.Certificate.Names) > 0 && !c.asksForCertificates() {
		return errors.New("rtbeat.auth.certificate.names is set without rtbeat.ssl.client_authentication, so that no certificate would ever come; set that to required, with rtbeat.ssl.certificate_authorities")
	}
	return nil
}

func (b *Basic) check() error {
	switch {
	case b.Username == "" && b.Password == "":
		return nil
	case b.Username == "":
		return errors.New("rtbeat.auth.basic.password is set without rtbeat.auth.basic.username; give both, or leave both out")
	case b.Password == "":
		return errors.New("rtbeat.auth.basic.username is set without rtbeat.auth.basic.password; give both, or leave both out")
	case strings.Contains(b.Username, ":"):
		return errors.New("rtbeat.auth.basic.username has a colon, at which the password begins in a request; choose another name")
	}
	if err := checkEntry("auth.basic.username", b.Username); err != nil {
		return err
	}
	return checkEntry("auth.basic.password", b.Password)
}

func (h *HMAC) check() error {
	if !isFieldName(h.Header) {
		return errors.New("rtbeat.auth.hmac.header is not the name of a header; use letters, digits and hyphens, such as X-Signature")
	}
	if strings.EqualFold(h.Header, "Authorization") {
		return errors.New("rtbeat.auth.hmac.header is Authorization, which is where tokens and passwords are; use one of its own, such as X-Signature")
	}
	switch {
	case h.TimestampHeader == "":
		return nil
	case !isFieldName(h.TimestampHeader):
		return errors.New("rtbeat.auth.hmac.timestamp_header is not the name of a header; use letters, digits and hyphens, such as X-Timestamp")
	case strings.EqualFold(h.Header, h.TimestampHeader):
		return errors.New("rtbeat.auth.hmac.header and rtbeat.auth.hmac.timestamp_header are the same header; use two")
	default:
		return nil
	}
}

// checkEntry refuses what nobody writes on purpose: what a variable without a value leaves, and a file read with its line
// break.
func checkEntry(key, entry string) error {
	switch {
	case strings.TrimSpace(entry) == "":
		return fmt.Errorf("rtbeat.%s is empty; give it a value, or leave it out", key)
	case strings.ContainsFunc(entry, unicode.IsControl):
		return fmt.Errorf("rtbeat.%s has a control character, such as a line break at its end; remove it", key)
	default:
		return nil
	}
}
