//go:build senders

package senders

import (
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// certificates are an authority and two certificates of it: one for a server, one for a sender. Each has a file with the
// certificate, one with the key, and one with both, as HAProxy needs it.
type certificates struct {
	t         testing.TB
	dir       string
	authority *harness.Authority
}

// Names of the files.
const (
	caFile     = "ca.pem"
	serverCert = "server.pem"
	serverKey  = "server.key"
	serverBoth = "server-both.pem"
	clientCert = "client.pem"
	clientKey  = "client.key"
	clientBoth = "client-both.pem"
	clientName = "collector.example.com"
)

func newCertificates(t testing.TB) *certificates {
	t.Helper()
	c := &certificates{t: t, dir: t.TempDir(), authority: harness.NewAuthority(t)}
	harness.WriteRecipe(t, c.dir, caFile, c.authority.PEM)
	server, client := harness.CertificateFor("in.example.com"), harness.CertificateFor(clientName)
	server.DNSNames = append(server.DNSNames, "localhost")
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	client.ExtKeyUsage, client.IPAddresses = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, nil
	c.issue(server, serverCert, serverKey, serverBoth)
	c.issue(client, clientCert, clientKey, clientBoth)
	return c
}

func (c *certificates) issue(template *x509.Certificate, certFile, keyFile, bothFile string) {
	c.t.Helper()
	cert, key := harness.InPEM(c.t, c.authority.Issue(c.t, template))
	harness.WriteRecipe(c.t, c.dir, certFile, cert)
	harness.WriteRecipe(c.t, c.dir, keyFile, key)
	harness.WriteRecipe(c.t, c.dir, bothFile, cert+key)
}

func (c *certificates) path(file string) string { return filepath.Join(c.dir, file) }

// config trusts the authority, and has the sender's certificate if asked.
func (c *certificates) config(withClient bool) *tls.Config {
	c.t.Helper()
	config := &tls.Config{RootCAs: c.authority.Pool, MinVersion: tls.VersionTLS12}
	if withClient {
		pair, err := tls.LoadX509KeyPair(c.path(clientCert), c.path(clientKey))
		require.NoError(c.t, err)
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}
