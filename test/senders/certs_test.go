//go:build senders

package senders

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// certificates are an authority and two certificates of it: one for a server, one for a sender. Each has a file with the
// certificate, one with the key, and one with both, as HAProxy needs it.
type certificates struct {
	t      testing.TB
	dir    string
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
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
	c := &certificates{t: t, dir: t.TempDir()}
	c.ca, c.key = c.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, caFile, "ca.key", "ca-both.pem")
	c.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "in.example.com"}, DNSNames: []string{"in.example.com", "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, serverCert, serverKey, serverBoth)
	c.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: clientName}, DNSNames: []string{clientName},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, clientCert, clientKey, clientBoth)
	return c
}

func (c *certificates) issue(template *x509.Certificate, certFile, keyFile, bothFile string) (*x509.Certificate, *ecdsa.PrivateKey) {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(c.t, err)
	c.serial++
	template.SerialNumber = big.NewInt(c.serial)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	template.KeyUsage |= x509.KeyUsageDigitalSignature
	parent, signer := c.ca, c.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(c.t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(c.t, err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	c.write(certFile, certPEM)
	c.write(keyFile, keyPEM)
	c.write(bothFile, append(certPEM, keyPEM...))
	cert, err := x509.ParseCertificate(der)
	require.NoError(c.t, err)
	return cert, key
}

func (c *certificates) write(file string, content []byte) {
	c.t.Helper()
	require.NoError(c.t, os.WriteFile(c.path(file), content, 0o600))
}

func (c *certificates) path(file string) string { return filepath.Join(c.dir, file) }

// config trusts the authority, and has the sender's certificate if asked.
func (c *certificates) config(withClient bool) *tls.Config {
	c.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(c.ca)
	config := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	if withClient {
		pair, err := tls.LoadX509KeyPair(c.path(clientCert), c.path(clientKey))
		require.NoError(c.t, err)
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}
