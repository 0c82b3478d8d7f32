package auth

import (
	"fmt"
	"net/http"
)

// Refusal is what to answer a request that may not come in. It holds no secret and no byte of the request, so all
// of it may be shown and logged. Nobody changes it after it was made.
type Refusal struct {
	// Status is 401 when another credential may help, 403 when only another certificate would.
	Status int

	// Detail says what was wrong, for the log and as a label of a metric. It is not meant for the sender, although none
	// of its values would help one to guess: it never says whether a user exists.
	Detail Detail

	// Challenge are the values of WWW-Authenticate (RFC 9110, 11.6.1), a line each, one for each configured scheme. A 401
	// must carry them. There are none with a 403.
	Challenge []string
}

// Detail is a stable word for what was wrong with a request. There are no others than these.
type Detail string

// The details of a 401.
const (
	Missing          Detail = "missing"           // none of the configured credentials
	RepeatedHeader   Detail = "repeated_header"   // more than one line of Authorization
	BadScheme        Detail = "bad_scheme"        // Authorization names no scheme that is configured, or none
	BadAuthorization Detail = "bad_authorization" // Authorization does not have the syntax of its scheme
	WrongToken       Detail = "wrong_token"       // no such bearer token
	WrongLogin       Detail = "wrong_login"       // no such user, or another password
	BadSignature     Detail = "bad_signature"     // the header of the signature is repeated, lacks its prefix or is not hex
	BadTimestamp     Detail = "bad_timestamp"     // the timestamp is missing, repeated or not in Unix seconds
	StaleTimestamp   Detail = "stale_timestamp"   // the timestamp is too old, or too far ahead
	WrongSignature   Detail = "wrong_signature"   // the body was signed with another key, or is another body
)

// The details of a 403.
const (
	NoCertificate  Detail = "no_certificate"   // no certificate, or one that was not verified
	NameNotAllowed Detail = "name_not_allowed" // a verified certificate, but none of its names is on the list
	NotChecked     Detail = "not_checked"      // Verify of a Pending that Check did not return: a mistake of the caller
)

// Details are all of them, for the series of a metric to be there before the first refusal.
func Details() []Detail {
	return []Detail{
		Missing, RepeatedHeader, BadScheme, BadAuthorization, WrongToken, WrongLogin, BadSignature, BadTimestamp, StaleTimestamp, WrongSignature,
		NoCertificate, NameNotAllowed, NotChecked,
	}
}

// realm names what is protected (RFC 9110, 11.5).
const realm = "rtbeat"

func forbidden(detail Detail) *Refusal {
	return &Refusal{Status: http.StatusForbidden, Detail: detail}
}

// unauthorized makes a 401. An invalid token is one that was presented; the sender who presented none, or something
// else, is told no error (RFC 6750, 3.1).
func (a *Authenticator) unauthorized(detail Detail, invalidToken bool) *Refusal {
	var challenges []string
	if len(a.tokens) > 0 {
		line := fmt.Sprintf("Bearer realm=%q", realm)
		if invalidToken {
			line += `, error="invalid_token"`
		}
		challenges = append(challenges, line)
	}
	if len(a.logins) > 0 {
		challenges = append(challenges, fmt.Sprintf(`Basic realm=%q, charset="UTF-8"`, realm))
	}
	if a.signer != nil {
		challenges = append(challenges, a.signer.challenge())
	}
	return &Refusal{Status: http.StatusUnauthorized, Detail: detail, Challenge: challenges}
}
