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

// check checks the certificate of a connection, and returns the name that matched. A nil n accepts every connection, also one
// without a certificate.
//
// Only a chain that crypto/tls has verified counts. Anybody can make a certificate that nobody verifies.
func (n *names) check(state *tls.ConnectionState) (name, detail string, ok bool) {
	if n == nil {
		return "", "", true
	}
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return "", NoCertificate, false
	}
	name, ok = n.find(state.VerifiedChains[0][0]) // all chains begin with the peer's own certificate
	if !ok {
		return "", NameNotAllowed, false
	}
	return name, "", true
}

// find returns the first name of the certificate that is allowed.
func (n *names) find(certificate *x509.Certificate) (name string, ok bool) {
	if common := certificate.Subject.CommonName; n.exact[common] {
		return common, true
	}
	if i := slices.IndexFunc(certificate.DNSNames, n.allowDNS); i >= 0 {
		return certificate.DNSNames[i], true
	}
	if i := slices.IndexFunc(certificate.URIs, func(uri *url.URL) bool { return n.exact[uri.String()] }); i >= 0 {
		return certificate.URIs[i].String(), true
	}
	if i := slices.IndexFunc(certificate.EmailAddresses, func(address string) bool { return n.exact[address] }); i >= 0 {
		return certificate.EmailAddresses[i], true
	}
	return "", false
}

func (n *names) allowDNS(name string) bool {
	name = lowerASCII(name)
	label, parent, _ := strings.Cut(name, ".")
	return n.dns[name] || label != "" && n.dns[wildcard+parent]
}
