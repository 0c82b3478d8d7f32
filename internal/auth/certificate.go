package auth

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
)

// wildcard begins a name that stands for every DNS name with one label more.
const wildcard = "*."

// names are the senders whose certificates may come in.
//
// Whoever issues certificates that the server trusts decides about names, all kinds of them: a name is looked for among
// the DNS names, the URIs and the mail addresses of a certificate (RFC 5280, 4.2.1.6) and is compared with its common
// name, whatever kind the operator meant.
type names struct {
	exact   map[string]bool // URI, mail address, common name
	dns     map[string]bool // in lower case
	parents map[string]bool // of the wildcards, in lower case: what follows the first dot
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

// check judges the certificate of a connection. A nil n lets every connection pass, also one without a certificate.
//
// Only a chain that crypto/tls has verified counts. With a server that asks for certificates and does not verify them,
// what the peer presents is something that anybody can write.
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
