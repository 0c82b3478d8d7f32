// Package auth decides which requests may send batches.
//
// It looks at the credentials of one request: a bearer token, a user and password, a signature over the body, or the name in
// the sender's verified certificate. It writes no answer, reads no body and opens no connection: it tells the caller what to
// answer.
//
// # Which credential is enough
//
// One of the schemes in force (bearer, basic, hmac) is enough. Each credential of a request must be right: a wrong
// Authorization header is refused even beside a right signature, and the other way round. So a sender learns at once that a
// secret is out of date, and not on the day when the other scheme goes.
//
// Headers of schemes that are not in force are ignored, such as Authorization while only signatures are. A proxy may need
// them.
//
// Names of certificates are a condition on top of the schemes, and are checked first: a connection without the right
// certificate does not learn whether its token is right. With names and no scheme, the verified certificate is the
// credential.
//
// With nothing in force, every request may send.
//
// # Secrets
//
// Tokens and logins are kept as SHA-256 digests. Keys of signatures are kept as they are, because each signature needs them.
// Credentials are compared with all candidates in constant time: the time of an answer tells neither how much of a guess was
// right nor which of several secrets it was. Errors and refusals hold no secret and no byte of a request.
//
// Without TLS, everybody between the sender and rtbeat can read tokens and logins. Nobody can read the key of a signature,
// but everybody there can read the body.
package auth

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Authenticator checks requests against one set of Settings. It never changes: any number of goroutines may use it, and a
// reload makes another one. The Authenticator that began a request also ends it. A nil *Authenticator lets everybody in.
type Authenticator struct {
	tokens digests
	logins digests
	signer *signer // nil when signatures are not configured
	names  *names  // nil when there are no names of certificates

	now func() time.Time
}

// Schemes returns the schemes in force for the log, in the order bearer, basic, hmac, certificate.
func (a *Authenticator) Schemes() []string {
	if a == nil {
		return nil
	}
	var schemes []string
	for _, scheme := range []struct {
		name       string
		configured bool
	}{
		{"bearer", len(a.tokens) > 0},
		{"basic", len(a.logins) > 0},
		{"hmac", a.signer != nil},
		{"certificate", a.names != nil},
	} {
		if scheme.configured {
			schemes = append(schemes, scheme.name)
		}
	}
	return schemes
}

// Enabled tells whether a request needs a credential.
func (a *Authenticator) Enabled() bool { return len(a.Schemes()) > 0 }

// Format prints the schemes and nothing else, whatever the verb: printing an Authenticator must not print keys.
func (a *Authenticator) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "auth(%s)", strings.Join(a.Schemes(), ", "))
}

// Check checks all credentials that do not need the body. The caller calls it before it reads the body, so that nobody
// without a credential makes rtbeat hold a body. It reads the header and the state of the TLS connection.
//
// After a nil refusal, the caller calls Verify of the returned Pending, and does nothing with the body before. A Pending
// returned with a refusal repeats that refusal.
//
// The length of the headers bounds the work; the server limits it (http.Server.MaxHeaderBytes).
func (a *Authenticator) Check(req *http.Request) (Pending, *Refusal) {
	if a == nil {
		return Pending{checked: true}, nil
	}
	if detail, ok := a.names.check(req.TLS); !ok {
		return refuse(forbidden(detail))
	}

	var authorization, signature []string
	if len(a.tokens)+len(a.logins) > 0 {
		authorization = req.Header[headerAuthorization]
	}
	if a.signer != nil {
		signature = req.Header[a.signer.header]
	}
	if len(authorization)+len(signature) == 0 && a.anyScheme() {
		return refuse(a.unauthorized(Missing, false))
	}
	if len(authorization) > 0 {
		if refusal := a.checkAuthorization(authorization); refusal != nil {
			return refuse(refusal)
		}
	}
	if len(signature) == 0 {
		return Pending{checked: true}, nil
	}
	claim, detail, ok := a.signer.read(signature, req.Header, a.now())
	if !ok {
		return refuse(a.unauthorized(detail, false))
	}
	return Pending{checked: true, auth: a, claim: claim}, nil
}

// anyScheme tells whether a request needs a credential beside its certificate.
func (a *Authenticator) anyScheme() bool { return len(a.tokens)+len(a.logins) > 0 || a.signer != nil }

// Pending is a request after Check. It belongs to the goroutine of its request. The zero Pending is a request that was never
// checked: Verify refuses it.
type Pending struct {
	checked bool
	refusal *Refusal       // of Check
	auth    *Authenticator // nil without a signature to verify
	claim   claim
}

// refuse makes the results of Check for a refusal.
func refuse(refusal *Refusal) (Pending, *Refusal) {
	return Pending{checked: true, refusal: refusal}, refusal
}

// Verify compares the signature with the body, and returns nil when the request may send. The body is without its transfer
// coding (chunks), and with its content coding (gzip): a signature covers the bytes that were sent, and rtbeat does not
// decompress a body that nobody signed.
//
// Without a signature to verify, the result is that of Check. Verify neither changes nor keeps the body. It reads the body
// once for each key.
func (p Pending) Verify(body []byte) *Refusal {
	switch {
	case !p.checked:
		return forbidden(NotChecked)
	case p.refusal != nil:
		return p.refusal
	case p.auth != nil && !p.auth.signer.verify(p.claim, body):
		return p.auth.unauthorized(WrongSignature, false)
	default:
		return nil
	}
}
