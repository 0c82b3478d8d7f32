package auth

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
)

// wildcard begins a name for every DNS name with one label more.
const wildcard = "*."

// names are the names of certificates that may send.
//
// The authority that issues a certificate decides about all kinds of names in it. So a name of the settings may be a DNS name,
// a URI or a mail address of the certificate (RFC 5280, 4.2.1.6), or its common name.
type names struct {
	exact   map[string]bool // URI, mail address, common name
	dns     map[string]bool // in lower case
	parents map[string]bool // of the wildcards, in lower case: the part behind the first dot
}

func newNames(allowed []string) *names {
	n := &names{exact: map[string]bool{}, dns: map[string]bool{}, parents: map[string]bool{}}
	for _, name := range allowed {
		if parent, isWildcard := strings.CutPrefix(name, wildcard); isWildcard {
			n.parents[lowerASCII(parent)] = true
			continue
		}
		n.exact[name] = true
		n.dns[lowerASCII(name)] = true
	}
	return n
}

// check checks the certificate of a connection. A nil n accepts every connection, also one without a certificate.
//
// Only a chain that crypto/tls has verified counts. Anybody can make a certificate that nobody verifies.
func (n *names) check(state *tls.ConnectionState) (Detail, bool) {
	switch {
	case n == nil:
		return "", true
	case state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0:
		return NoCertificate, false
	case !n.allow(state.VerifiedChains[0][0]): // all chains begin with the peer's own certificate
		return NameNotAllowed, false
	default:
		return "", true
	}
}

func (n *names) allow(certificate *x509.Certificate) bool {
	if n.exact[certificate.Subject.CommonName] {
		return true
	}
	for _, name := range certificate.DNSNames {
		name = lowerASCII(name)
		label, parent, _ := strings.Cut(name, ".")
		if n.dns[name] || label != "" && n.parents[parent] {
			return true
		}
	}
	for _, uri := range certificate.URIs {
		if n.exact[uri.String()] {
			return true
		}
	}
	for _, address := range certificate.EmailAddresses {
		if n.exact[address] {
			return true
		}
	}
	return false
}
