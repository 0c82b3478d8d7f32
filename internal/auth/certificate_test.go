package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authority issues certificates; the zero value of parent makes them sign themselves.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	made := issue(t, authority{}, x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	certificate, err := x509.ParseCertificate(made.Certificate[0])
	require.NoError(t, err)
	return authority{certificate: certificate, key: made.PrivateKey.(*ecdsa.PrivateKey)}
}

func issue(t *testing.T, by authority, template x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if !template.IsCA {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	parent, signer := &template, key
	if by.certificate != nil {
		parent, signer = by.certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, key.Public(), signer)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// tlsServer serves with a as a handler does, and tells the detail of a refusal in a header.
func tlsServer(t *testing.T, a *Authenticator, mode tls.ClientAuthType, trusted authority) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Resumed", map[bool]string{true: "yes", false: "no"}[req.TLS.DidResume])
		_, refusal := a.Check(req)
		if refusal != nil {
			w.Header().Set("Detail", refusal.Detail)
			w.WriteHeader(refusal.Status)
		}
	}))
	roots := x509.NewCertPool()
	roots.AddCert(trusted.certificate)
	server.TLS = &tls.Config{ClientAuth: mode, ClientCAs: roots, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// ask sends a request over a connection of its own and returns status, detail and whether TLS resumed a session.
func ask(t *testing.T, server *httptest.Server, sessions tls.ClientSessionCache, certificates ...tls.Certificate) (status int, detail string, resumed string) {
	t.Helper()
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	transport.TLSClientConfig.Certificates = certificates
	transport.TLSClientConfig.ClientSessionCache = sessions
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, http.NoBody)
	require.NoError(t, err)
	answer, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode, answer.Header.Get("Detail"), answer.Header.Get("Resumed")
}

func TestCertificateNames(t *testing.T) {
	ca := newAuthority(t)
	a := newAuth(t, Settings{Certificate: Certificate{Names: []string{
		"Sender-1.example.com", "spiffe://example.org/sensor/7", "Ops@example.com", "line 4, oven 2", "*.Sensors.example.com",
	}}})
	server := tlsServer(t, a, tls.RequireAndVerifyClientCert, ca)

	common := func(name string) x509.Certificate { return x509.Certificate{Subject: pkix.Name{CommonName: name}} }
	dns := func(names ...string) x509.Certificate { return x509.Certificate{DNSNames: names} }
	uri := func(text string) x509.Certificate {
		parsed, err := url.Parse(text)
		require.NoError(t, err)
		return x509.Certificate{URIs: []*url.URL{parsed}}
	}
	mail := func(address string) x509.Certificate { return x509.Certificate{EmailAddresses: []string{address}} }

	for _, c := range []struct {
		name     string
		template x509.Certificate
		want     string
	}{
		{"a DNS name", dns("sender-1.example.com"), ""},
		{"in capitals", dns("SENDER-1.EXAMPLE.COM"), ""},
		{"the second DNS name", dns("other.example.com", "sender-1.example.com"), ""},
		{"a URI", uri("spiffe://example.org/sensor/7"), ""},
		{"a mail address", mail("Ops@example.com"), ""},
		{"a common name", common("line 4, oven 2"), ""},
		{"a common name beside others", x509.Certificate{
			Subject: pkix.Name{CommonName: "line 4, oven 2"}, DNSNames: []string{"other"}, EmailAddresses: []string{"a@b"},
		}, ""},
		{"below the wildcard", dns("a.sensors.example.com"), ""},
		{"below it, in capitals", dns("A.SENSORS.EXAMPLE.COM"), ""},
		{"the wildcard itself", dns("*.sensors.example.com"), ""},

		{"no name", x509.Certificate{}, NameNotAllowed},
		{"another DNS name", dns("sender-2.example.com"), NameNotAllowed},
		{"a name below", dns("a.sender-1.example.com"), NameNotAllowed},
		{"a name that ends alike", dns("xsender-1.example.com"), NameNotAllowed},
		{"the wildcard's parent", dns("sensors.example.com"), NameNotAllowed},
		{"two labels below the wildcard", dns("b.a.sensors.example.com"), NameNotAllowed},
		{"a common name below the wildcard", common("a.sensors.example.com"), NameNotAllowed},
		{"a common name that is the wildcard", common("*.Sensors.example.com"), NameNotAllowed},
		{"a wildcard that would cover a name", dns("*.example.com"), NameNotAllowed},
		{"a common name in capitals", common("LINE 4, OVEN 2"), NameNotAllowed},
		{"a DNS name as common name, in another case", common("sender-1.example.com"), NameNotAllowed},
		{"a DNS name as common name, as written", common("Sender-1.example.com"), ""},
		{"a URI with more", uri("spiffe://example.org/sensor/7/"), NameNotAllowed},
		{"a URI in capitals", uri("spiffe://example.org/SENSOR/7"), NameNotAllowed},
		{"a mail address in capitals", mail("OPS@example.com"), NameNotAllowed},
		{"a name in the organisation", x509.Certificate{Subject: pkix.Name{Organization: []string{"line 4, oven 2"}}}, NameNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, detail, _ := ask(t, server, nil, issue(t, ca, c.template))
			require.Equal(t, c.want, detail)
			if c.want == "" {
				require.Equal(t, http.StatusOK, status)
			} else {
				require.Equal(t, http.StatusForbidden, status)
			}
		})
	}
}

// A certificate that nobody has verified must not count, however the server asks for it.
func TestOnlyVerifiedCertificatesCount(t *testing.T) {
	ca := newAuthority(t)
	a := newAuth(t, Settings{Certificate: Certificate{Names: []string{"sender"}}})
	allowed := x509.Certificate{Subject: pkix.Name{CommonName: "sender"}, DNSNames: []string{"sender"}}
	trusted, forged := issue(t, ca, allowed), issue(t, newAuthority(t), allowed)

	for _, c := range []struct {
		name         string
		mode         tls.ClientAuthType
		certificates []tls.Certificate
		want         string
	}{
		{"required and verified", tls.RequireAndVerifyClientCert, []tls.Certificate{trusted}, ""},
		{"verified if given", tls.VerifyClientCertIfGiven, []tls.Certificate{trusted}, ""},
		{"verified if given, not given", tls.VerifyClientCertIfGiven, nil, NoCertificate},
		{"asked for, forged", tls.RequestClientCert, []tls.Certificate{forged}, NoCertificate},
		{"asked for, not verified", tls.RequestClientCert, []tls.Certificate{trusted}, NoCertificate},
		{"required and not verified", tls.RequireAnyClientCert, []tls.Certificate{forged}, NoCertificate},
		{"not asked for", tls.NoClientCert, []tls.Certificate{trusted}, NoCertificate},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, detail, _ := ask(t, tlsServer(t, a, c.mode, ca), nil, c.certificates...)
			require.Equal(t, c.want, detail)
		})
	}
}

func TestResumedSessionsKeepTheirCertificate(t *testing.T) {
	ca := newAuthority(t)
	server := tlsServer(t, newAuth(t, Settings{Certificate: Certificate{Names: []string{"sender"}}}), tls.RequireAndVerifyClientCert, ca)
	sessions := tls.NewLRUClientSessionCache(1)
	certificate := issue(t, ca, x509.Certificate{DNSNames: []string{"sender"}})
	for _, want := range []string{"no", "yes"} {
		status, _, resumed := ask(t, server, sessions, certificate)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, want, resumed)
	}
}

func TestWithoutTLS(t *testing.T) {
	a := newAuth(t, Settings{Certificate: Certificate{Names: []string{"sender"}}})
	req := request()
	require.Equal(t, NoCertificate, detail(t, a, req, ""))
	req.TLS = &tls.ConnectionState{}
	require.Equal(t, NoCertificate, detail(t, a, req, ""))
	req.TLS.PeerCertificates = []*x509.Certificate{{DNSNames: []string{"sender"}}}
	require.Equal(t, NoCertificate, detail(t, a, req, ""))
	req.TLS.VerifiedChains = [][]*x509.Certificate{{}}
	require.Equal(t, NoCertificate, detail(t, a, req, ""))
	// The name of the authority is not the name of the peer.
	req.TLS.VerifiedChains = [][]*x509.Certificate{{{}, {DNSNames: []string{"sender"}}}}
	require.Equal(t, NameNotAllowed, detail(t, a, req, ""))
}

// Names are a condition on top of the schemes: the certificate is checked first, and does not replace a token.
func TestNamesAndSchemes(t *testing.T) {
	s := signatures()
	s.Certificate.Names, s.Bearer.Tokens = []string{"sender"}, Unnamed("token")
	a := newAuth(t, s)
	state := func(name string) *tls.ConnectionState {
		return &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{DNSNames: []string{name}}}}}
	}
	const right, wrong = "Authorization: Bearer token", "Authorization: Bearer x"
	for _, c := range []struct {
		name  string
		state *tls.ConnectionState
		lines []string
		want  string
	}{
		{"both right", state("sender"), []string{right}, ""},
		{"only the certificate", state("sender"), nil, Missing},
		{"a wrong token", state("sender"), []string{wrong}, WrongToken},
		{"a wrong signature", state("sender"), []string{"X-Signature: sha256=" + sign("x", "")}, WrongSignature},
		{"another name", state("other"), []string{right}, NameNotAllowed},
		{"another name, a wrong token", state("other"), []string{wrong}, NameNotAllowed},
		{"another name, no token", state("other"), nil, NameNotAllowed},
		{"no certificate", nil, []string{right}, NoCertificate},
		{"nothing", nil, nil, NoCertificate},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := request(c.lines...)
			req.TLS = c.state
			require.Equal(t, c.want, detail(t, a, req, ""))
		})
	}
}

// Letters outside of ASCII have no case: a name that looks alike is another name.
func TestCaseIsThatOfASCII(t *testing.T) {
	n := newNames([]string{"k.example.com", "*.s.example.com"})
	require.True(t, n.allowDNS("K.example.com"))
	require.False(t, n.allowDNS("\u212a.example.com"))
	require.True(t, n.allowDNS("a.S.example.com"))
	require.False(t, n.allowDNS("a.\u017f.example.com"))
	require.False(t, n.allowDNS(".s.example.com"))
}
