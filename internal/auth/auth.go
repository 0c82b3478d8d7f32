// Package auth decides which requests may send batches.
//
// It looks at the credentials of one request: a bearer token, a user and password, a token in a header of its own, a signature
// over the body, or the name in the sender's verified certificate. It writes no answer, reads no body and opens no connection:
// it returns a refusal to the caller.
//
// # Which credential is enough
//
// One of the schemes in force (bearer, basic, header, hmac) is enough. Each credential of a request must be right: a wrong
// Authorization header is refused even beside a right signature, and a wrong signature beside a right token. So a sender learns
// at once that a secret is out of date, and not on the day when the other scheme is switched off.
//
// Headers of schemes that are not in force are ignored, such as Authorization while only signatures are in force. A proxy may
// need them.
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
// Credentials are compared with all candidates in constant time. The time of an answer tells neither which secret matched nor how
// many bytes of a guess were right. Errors and refusals hold no secret and no byte of a request.
//
// Without TLS, everybody between the sender and rtbeat can read tokens, logins and bodies. Nobody can read the key of a
// signature.
package auth

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Authenticator checks requests against one set of Settings. It never changes: any number of goroutines may use it, and a
// reload makes another one. The Authenticator that began a request also ends it. A nil *Authenticator accepts every request.
type Authenticator struct {
	schemes []string
	tokens  digests
	logins  digests
	header  string  // with values, in canonical form; empty when tokens in a header are not configured
	values  digests // of header
	signer  *signer // nil when signatures are not configured
	names   *names  // nil when there are no names of certificates

	now func() time.Time
}

// settingsKey is the group as errors of New name it.
const settingsKey = "rtbeat.auth"

// New makes an Authenticator of settings that Check accepts. It keeps none of their slices. With DefaultSettings it accepts
// every request.
func New(s Settings) (*Authenticator, error) {
	if err := s.Check(settingsKey); err != nil {
		return nil, err
	}
	a := &Authenticator{now: time.Now}
	if len(s.Bearer.Tokens) > 0 {
		a.schemes = append(a.schemes, "bearer")
		a.tokens.addAll(s.Bearer.Tokens)
	}
	if s.Basic.isSet() {
		a.schemes = append(a.schemes, "basic")
		a.logins.add(s.Basic.Username, s.Basic.Username+":"+s.Basic.Password)
	}
	if len(s.Header.Values) > 0 {
		a.schemes = append(a.schemes, "header")
		a.header = http.CanonicalHeaderKey(s.Header.Name)
		a.values.addAll(s.Header.Values)
	}
	if len(s.HMAC.Keys) > 0 {
		a.schemes = append(a.schemes, "hmac")
		var err error
		if a.signer, err = newSigner(&s.HMAC); err != nil {
			return nil, err
		}
	}
	if len(s.Certificate.Names) > 0 {
		a.schemes = append(a.schemes, "certificate")
		a.names = newNames(s.Certificate.Names)
	}
	return a, nil
}

// Schemes returns the schemes in force for the log, in the order bearer, basic, header, hmac, certificate.
func (a *Authenticator) Schemes() []string {
	if a == nil {
		return nil
	}
	return a.schemes
}

// Enabled tells whether a request needs a credential.
func (a *Authenticator) Enabled() bool { return len(a.Schemes()) > 0 }

// Format prints the schemes and nothing else, whatever the verb: printing an Authenticator must not print keys.
func (a *Authenticator) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "auth(%s)", strings.Join(a.Schemes(), ", "))
}

// Check checks all credentials that do not need the body. The caller calls it before it reads the body, so that no request
// without a credential takes memory for a body. Check reads the header and the state of the TLS connection.
//
// After a nil refusal, the caller reads the body and calls Verify of the returned Pending, before anything else. A Pending
// returned with a refusal repeats that refusal.
//
// The length of the headers bounds the work; the server limits it (http.Server.MaxHeaderBytes).
func (a *Authenticator) Check(req *http.Request) (Pending, *Refusal) {
	if a == nil {
		return Pending{checked: true}, nil
	}
	certificate, detail, ok := a.names.check(req.TLS)
	if !ok {
		return refuse(forbidden(detail))
	}
	authorization, token, signature := a.credentials(req.Header)
	if len(authorization)+len(token)+len(signature) == 0 && a.takesSecrets() {
		return refuse(a.unauthorized(Missing, false))
	}
	user, refusal := a.checkAuthorization(authorization)
	if refusal != nil {
		return refuse(refusal)
	}
	owner, refusal := a.checkToken(token)
	if refusal != nil {
		return refuse(refusal)
	}
	p := Pending{checked: true, sender: cmp.Or(user, owner, certificate)}
	if len(signature) == 0 {
		return p, nil
	}
	if p.claim, detail, ok = a.signer.read(signature, req.Header, a.now()); !ok {
		return refuse(a.unauthorized(detail, false))
	}
	p.auth = a
	return p, nil
}

func (a *Authenticator) takesAuthorization() bool { return !a.tokens.isEmpty() || !a.logins.isEmpty() }

// takesSecrets tells whether a scheme beside the names of certificates is in force.
func (a *Authenticator) takesSecrets() bool {
	return a.takesAuthorization() || a.header != "" || a.signer != nil
}

// credentials returns the values of the headers that the schemes in force read.
func (a *Authenticator) credentials(header http.Header) (authorization, token, signature []string) {
	if a.takesAuthorization() {
		authorization = header[headerAuthorization]
	}
	if a.header != "" {
		token = header[a.header]
	}
	if a.signer != nil {
		signature = header[a.signer.header]
	}
	return authorization, token, signature
}

// Pending is a request after Check. It belongs to the goroutine of its request. The zero Pending is a request that was never
// checked: Verify refuses it.
type Pending struct {
	checked bool
	refusal *Refusal       // of Check
	auth    *Authenticator // nil without a signature to verify
	claim   claim
	sender  string
	key     []byte // that made the signature, after Verify
}

// Format prints nothing of a request, whatever the verb, and no key.
func (p Pending) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "pending(%t)", p.checked && p.refusal == nil)
}

// Sender returns the name of the sender, "" for one without a name. It is the configured name of the token or key, the user of
// basic, or the name of the certificate that matched. Of several right credentials the first with a name counts, in the order
// signature, Authorization, header, certificate. Before Verify has accepted the request, the result means nothing.
func (p *Pending) Sender() string { return p.sender }

// Key returns the key that made the signature, for answers that must prove the same key. It is nil before Verify has accepted a
// signature. The caller does not change it.
func (p *Pending) Key() []byte { return p.key }

// refuse makes the results of Check for a refusal.
func refuse(refusal *Refusal) (Pending, *Refusal) {
	return Pending{checked: true, refusal: refusal}, refusal
}

// Verify compares the signature with the body, and returns nil when the request may send. The body is without its transfer
// coding (chunks), and with its content coding (gzip): a signature covers the bytes that were sent, and rtbeat does not
// decompress a body that nobody signed.
//
// Without a signature to verify, the result is the refusal of Check. Verify neither changes nor keeps the body. It reads the body
// once for each key. It may name the sender: see Sender.
func (p *Pending) Verify(body []byte) *Refusal {
	switch {
	case !p.checked:
		return forbidden(NotChecked)
	case p.refusal != nil || p.auth == nil:
		return p.refusal
	}
	signer := p.auth.signer
	key, ok := signer.verify(&p.claim, body)
	if !ok {
		return p.auth.unauthorized(WrongSignature, false)
	}
	p.key, p.sender = signer.keys[key], cmp.Or(signer.names[key], p.sender)
	return nil
}
