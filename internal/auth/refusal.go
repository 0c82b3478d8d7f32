package auth

import (
	"fmt"
	"net/http"
)

// Refusal is the answer to a request that may not send. It holds no secret and no byte of the request, so that all of it may
// be shown and logged. It never changes.
type Refusal struct {
	// Status is 401 when another credential may help, 403 when only another certificate would.
	Status int

	// Detail is the reason, for the log and the label of a metric. Senders do not see it. It never says whether a user
	// exists.
	Detail string

	// Challenge are the values of WWW-Authenticate (RFC 9110, 11.6.1), one for each scheme in force. A 401 must have them, a
	// 403 has none.
	Challenge []string
}

// The details of a 401. A detail is a stable name of a reason.
const (
	Missing          = "missing"           // none of the configured credentials
	RepeatedHeader   = "repeated_header"   // Authorization, or the header of a token, more than once
	BadScheme        = "bad_scheme"        // Authorization names no scheme that is configured, or none
	BadAuthorization = "bad_authorization" // Authorization does not have the syntax of its scheme
	WrongToken       = "wrong_token"       // no such bearer token, or value of the header of tokens
	WrongLogin       = "wrong_login"       // no such user, or another password
	BadSignature     = "bad_signature"     // the header of the signature is repeated, lacks its prefix, or is not hex or base64
	BadTimestamp     = "bad_timestamp"     // the timestamp is missing, repeated or not in Unix seconds
	BadSignedHeader  = "bad_signed_header" // a header that is signed is missing, or repeated
	StaleTimestamp   = "stale_timestamp"   // the timestamp is too old, or too far ahead
	WrongSignature   = "wrong_signature"   // the body was signed with another key, or is another body
)

// The details of a 403.
const (
	NoCertificate  = "no_certificate"   // no certificate, or one that was not verified
	NameNotAllowed = "name_not_allowed" // a verified certificate without a name of the settings
	NotChecked     = "not_checked"      // a Pending that Check did not return: a defect of the caller
)

// Details are all details. A metric has a series of each before the first refusal.
func Details() []string {
	return []string{
		Missing, RepeatedHeader, BadScheme, BadAuthorization, WrongToken, WrongLogin, BadSignature, BadTimestamp, BadSignedHeader, StaleTimestamp, WrongSignature,
		NoCertificate, NameNotAllowed, NotChecked,
	}
}

// realm is the name of the protected resource (RFC 9110, 11.5).
const realm = "rtbeat"

func forbidden(detail string) *Refusal {
	return &Refusal{Status: http.StatusForbidden, Detail: detail}
}

// unauthorized makes a 401. invalidToken is whether the request had a bearer token. Only then the challenge names an error
// (RFC 6750, 3.1).
func (a *Authenticator) unauthorized(detail string, invalidToken bool) *Refusal {
	var challenges []string
	if !a.tokens.isEmpty() {
		challenge := fmt.Sprintf("Bearer realm=%q", realm)
		if invalidToken {
			challenge += `, error="invalid_token"`
		}
		challenges = append(challenges, challenge)
	}
	if !a.logins.isEmpty() {
		challenges = append(challenges, fmt.Sprintf(`Basic realm=%q, charset="UTF-8"`, realm))
	}
	if a.header != "" { // the scheme is not registered, so the challenge names the header
		challenges = append(challenges, fmt.Sprintf("Header realm=%q, header=%q", realm, a.header))
	}
	if a.signer != nil {
		challenges = append(challenges, a.signer.challenge())
	}
	return &Refusal{Status: http.StatusUnauthorized, Detail: detail, Challenge: challenges}
}
