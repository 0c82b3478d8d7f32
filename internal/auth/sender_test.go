package auth

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// A request may show several right credentials: a signature counts before Authorization, that before the header
// of tokens, and all of them before the certificate.
func TestSender(t *testing.T) {
	s := signatures()
	s.HMAC.Keys = Secrets{{"carol", "carols-key"}, {"", "old-key"}}
	s.Bearer.Tokens = Secrets{{"alice", "alices-token"}, {"bob", "bobs-token"}, {"", "old-token"}}
	s.Basic = Basic{"ada", "one"}
	s.Header.Values = Secrets{{"dave", "daves-value"}}
	const (
		alice, bob, nobody = "Authorization: Bearer alices-token", "Authorization: Bearer bobs-token", "Authorization: Bearer old-token"
		oldKey             = "old-key"
	)
	carol, old := "X-Signature: sha256="+sign("carols-key", testBody), "X-Signature: sha256="+sign(oldKey, testBody)
	for _, c := range []struct {
		name, certificate, want string
		lines                   []string
	}{
		{"the first token", "", "alice", []string{alice}},
		{"another token", "", "bob", []string{bob}},
		{"a token without a name", "", "", []string{nobody}},
		{"a user", "", "ada", []string{basic("ada", "one")}},
		{"a value", "", "dave", []string{"X-Api-Key: daves-value"}},
		{"a value and a token", "", "alice", []string{"X-Api-Key: daves-value", alice}},
		{"a value and a key", "", "carol", []string{"X-Api-Key: daves-value", carol}},
		{"a value and a certificate", "sender.example.com", "dave", []string{"X-Api-Key: daves-value"}},
		{"a key", "", "carol", []string{carol}},
		{"a key without a name", "", "", []string{old}},
		{"a key and a token", "", "carol", []string{alice, carol}},
		{"a key without a name, and a token", "", "alice", []string{alice, old}},
		{"a token and a certificate", "sender.example.com", "alice", []string{alice}},
		{"a key and a certificate", "sender.example.com", "carol", []string{carol}},
		{"a certificate, and secrets without names", "sender.example.com", "sender.example.com", []string{nobody, old}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s
			req := request(c.lines...)
			if c.certificate != "" {
				s.Certificate.Names = []string{"*.example.com"}
				req.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{DNSNames: []string{"other.org", c.certificate}}}}}
			}
			pending, refusal := newAuth(t, s).Check(req)
			require.Nil(t, refusal)
			require.Nil(t, pending.Verify([]byte(testBody)))
			require.Equal(t, c.want, pending.Sender())
		})
	}
}

// The name of a key counts only after the signature was compared.
func TestNoSenderBeforeVerify(t *testing.T) {
	s := signatures()
	s.HMAC.Keys = Secrets{{"carol", "carols-key"}}
	pending, refusal := newAuth(t, s).Check(request("X-Signature: sha256=" + sign("carols-key", testBody)))
	require.Nil(t, refusal)
	require.Empty(t, pending.Sender())
	require.NotNil(t, pending.Verify([]byte("another body")))
	require.Empty(t, pending.Sender())
}

// The name is the one in the certificate that matched, and the whole DNS name for a wildcard.
func TestSenderOfACertificate(t *testing.T) {
	n := newNames([]string{"*.edge.example.com", "spiffe://example.com/a", "a@example.com", "common"})
	id, err := url.Parse("spiffe://example.com/a")
	require.NoError(t, err)
	for want, certificate := range map[string]*x509.Certificate{
		"7.Edge.example.com":     {DNSNames: []string{"other.example.com", "7.Edge.example.com"}},
		"spiffe://example.com/a": {URIs: []*url.URL{{Scheme: "spiffe", Host: "other"}, id}},
		"a@example.com":          {EmailAddresses: []string{"b@example.com", "a@example.com"}},
	} {
		name, ok := n.find(certificate)
		require.True(t, ok)
		require.Equal(t, want, name)
	}
	common := &x509.Certificate{}
	common.Subject.CommonName = "common"
	name, ok := n.find(common)
	require.True(t, ok)
	require.Equal(t, "common", name)
}
