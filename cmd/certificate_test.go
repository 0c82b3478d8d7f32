package cmd

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

func TestReadChain(t *testing.T) {
	authority := harness.NewAuthority(t)
	certificate, key := harness.InPEM(t, authority.Issue(t, harness.CertificateFor("logs.example.com")))
	path := filepath.Join(t.TempDir(), "tls.crt")
	require.NoError(t, os.WriteFile(path, []byte("# a comment\n"+key+certificate+authority.PEM), 0o600))
	for _, setting := range []string{path, certificate + authority.PEM} {
		chain, err := readChain(setting)
		require.NoError(t, err)
		require.Len(t, chain, 2)
		require.Equal(t, "logs.example.com", chain[0].Subject.CommonName, "rtbeat's own is the first")
	}
	for _, wrong := range []string{"hidden", key, "-----BEGIN CERTIFICATE-----\nhidden\n-----END CERTIFICATE-----\n"} {
		_, err := readChain(wrong)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hidden", "it may be a key in the wrong place")
	}
}

func TestDescribeChain(t *testing.T) {
	authority := harness.NewAuthority(t)
	named := harness.CertificateFor("logs.example.com")
	unnamed := harness.CertificateFor("logs.example.com")
	unnamed.DNSNames, unnamed.IPAddresses = nil, nil
	for want, test := range map[string]struct {
		template *x509.Certificate
		roots    *x509.CertPool
	}{
		`^certificate for logs\.example\.com, 127\.0\.0\.1, until \S+Z, signed by an authority that this machine knows$`: {named, authority.Pool},
		`^certificate for .*, signed by no authority that this machine knows: senders need its authority$`:               {named, x509.NewCertPool()},
		`^certificate without a name, until .*; most senders refuse it$`:                                                 {unnamed, authority.Pool},
	} {
		certificate, _ := harness.InPEM(t, authority.Issue(t, test.template))
		chain, err := readChain(certificate)
		require.NoError(t, err)
		require.Regexp(t, want, describeChain(chain, test.roots))
	}
}
