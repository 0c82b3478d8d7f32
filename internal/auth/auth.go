// Package auth decides who may come in.
//
// It judges one request by what came with it: a bearer token, a user and password, a signature over the body, or the
// name in the sender's verified certificate. It writes no answer, reads no body and opens no connection; it says what
// the caller has to answer. It knows nothing of libbeat.
//
// # Which of them is enough
//
// Any one of the configured schemes (bearer, basic, hmac) lets a request in. What is presented has to be right, though: a
// request with a wrong Authorization header is refused even if its signature is right, and the other way round. A
// sender whose secret is out of date learns it now, not on the day when the second scheme goes.
//
// A header that no configured scheme reads is passed over: Authorization while only signatures are configured, a
// signature while none are. It may be meant for a proxy on the way.
//
// The names of certificates are a condition on top of the schemes, and are looked at first: a connection that may not
// come in is not told whether its token is right. With names and no scheme, the verified certificate is the credential.
//
// With nothing configured everybody may come in.
//
// # Secrets
//
// Tokens and logins are kept as SHA-256 digests, keys of signatures as they are because each signature needs them. What
// is presented is compared with all candidates in constant time, so that the time of an answer tells neither how much of
// a guess was right nor which of several secrets it was. What is returned, errors and refusals, holds no secret and no
// byte of a request.
//
// Bearer tokens and logins are readable for everybody on the way unless the connection is encrypted. A signature is
// not, but it does not hide the body.
package auth

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Authenticator judges requests by one set of Settings. It never changes, so any number of goroutines may use it at
// once, and a caller that reads its settings anew swaps the pointer; a request that was under way is judged to its
// end by the Authenticator that began it. A nil *Authenticator lets everybody in.
type Authenticator struct {
	tokens digests
	logins digests
	signer *signer // nil when signatures are not configured
	names  *names  // nil when certificates do not matter

	now func() time.Time
}

// Schemes returns what is configured, in the order bearer, basic, hmac, certificate. It is made for a line in the log.
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

// Enabled tells whether anything is configured. When it is false everybody may come in.
func (a *Authenticator) Enabled() bool { return len(a.Schemes()) > 0 }

// Format prints the schemes and nothing else, whatever the verb, so that printing an Authenticator prints no keys.
func (a *Authenticator) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "auth(%s)", strings.Join(a.Schemes(), ", "))
}

// Check judges what can be judged without the body. It is called before the body is read, so that a stranger cannot
// make the caller read and hold one. It reads the header and the state of the TLS connection, and changes neither.
//
// A nil refusal means that the request may come in, or may once its signature has been compared with the body: the
// caller then calls Verify of the returned Pending, and does nothing with the body before. A Pending returned with a
// refusal repeats that refusal.
//
// The work is bounded by the length of the headers, which the server limits (http.Server.MaxHeaderBytes).
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

// anyScheme tells whether a request has to present something beside its certificate.
func (a *Authenticator) anyScheme() bool { return len(a.tokens)+len(a.logins) > 0 || a.signer != nil }

// Pending is a request that passed Check. It belongs to the goroutine of its request. The zero Pending is a request
// that was never checked: it needs its body and is refused.
type Pending struct {
	checked bool
	refusal *Refusal       // what Check answered
	auth    *Authenticator // nil when nothing is left to verify
	claim   claim
}

// refuse returns what Check returns for a refusal.
func refuse(refusal *Refusal) (Pending, *Refusal) {
	return Pending{checked: true, refusal: refusal}, refusal
}

// Verify compares the signature with the body, and returns nil when the request may come in. The body is what was sent
// on the wire after the transfer coding (chunks) was removed and before the content coding (gzip) is: a signature
// covers bytes, and decompressing those of a stranger is work that should come after.
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
