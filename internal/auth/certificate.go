package auth

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"slices"
	"strings"
)

// wildcard begins a name that stands for every DNS name with one label more.
const wildcard = "*."

// names are the names of certificates that may send.
//
// A name may be a DNS name, a URI or a mail address of the certificate (RFC 5280, 4.2.1.6), or its common name: the authority
// vouches for all of them.
type names struct {
	exact map[string]bool // URI, mail address, common name; no wildcards
	dns   map[string]bool // in lower case
}

func newNames(allowed []string) *names {
	n := &names{exact: map[string]bool{}, dns: map[string]bool{}}
	for _, name := range allowed {
		n.exact[name] = !strings.HasPrefix(name, wildcard)
		n.dns[lowerASCII(name)] = true
	}
	return n
}

// check checks the certificate of a connection. A nil n accepts every connection, also one without a certificate.
//
// Only a chain that crypto/tls has verified counts. Anybody can make a certificate that nobody verifies.
func (n *names) check(state *tls.ConnectionState) (detail string, ok bool) {
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
	return n.exact[certificate.Subject.CommonName] ||
		slices.ContainsFunc(certificate.DNSNames, n.allowDNS) ||
		slices.ContainsFunc(certificate.URIs, func(uri *url.URL) bool { return n.exact[uri.String()] }) ||
		slices.ContainsFunc(certificate.EmailAddresses, func(address string) bool { return n.exact[address] })
}

func (n *names) allowDNS(name string) bool {
	name = lowerASCII(name)
	label, parent, _ := strings.Cut(name, ".")
	return n.dns[name] || label != "" && n.dns[wildcard+parent]
}
