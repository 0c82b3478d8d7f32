package listen

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
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/transport/tlscommon"
	"github.com/stretchr/testify/require"
)

// authority is a CA.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// issued is a certificate and its key, in PEM.
type issued struct{ certificate, key string }

func (i issued) pair(t testing.TB) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(i.certificate), []byte(i.key))
	require.NoError(t, err)
	return pair
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	root := template("an authority")
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage, root.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	der, err := x509.CreateCertificate(rand.Reader, root, root, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	a.certificate, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return a
}

func (a *authority) pem() string { return encode("CERTIFICATE", a.certificate.Raw) }

// issue makes a certificate as changed by change.
func (a *authority) issue(t testing.TB, name string, change func(*x509.Certificate)) issued {
	t.Helper()
	certificate, key := template(name), newKey(t)
	if change != nil {
		change(certificate)
	}
	parent, signer := a.certificate, a.key
	if a.key == nil { // signed by itself
		parent, signer = certificate, key
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return issued{encode("CERTIFICATE", der), encode("PRIVATE KEY", secret)}
}

// certificates returns the certificates of a server that asks clients for none.
func (a *authority) certificates(t testing.TB) *Certificates {
	t.Helper()
	c, err := TLS(a.issue(t, "server", nil).settings(), logp.NewNopLogger())
	require.NoError(t, err)
	return c
}

// settings hold the certificate as text.
func (i issued) settings() *tlscommon.ServerConfig {
	return &tlscommon.ServerConfig{Certificate: tlscommon.CertificateConfig{Certificate: i.certificate, Key: i.key}}
}

// h2Client returns a client that speaks HTTP/2, with a certificate if one is given.
func h2Client(t testing.TB, certificate *tls.Certificate) *http.Client {
	t.Helper()
	return &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: clientConfig(certificate), ForceAttemptHTTP2: true}}
}

// clientConfig accepts the certificate of any server.
func clientConfig(certificate *tls.Certificate) *tls.Config {
	config := &tls.Config{InsecureSkipVerify: true}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	return config
}

// handshake speaks TLS on conn.
func handshake(t testing.TB, conn net.Conn, config *tls.Config) *tls.Conn {
	t.Helper()
	if config == nil {
		config = clientConfig(nil)
	}
	secure := tls.Client(conn, config)
	require.NoError(t, secure.HandshakeContext(t.Context()))
	return secure
}

// secrets is a directory as Kubernetes mounts a secret: the files are links into a directory that a link points to.
type secrets struct {
	t         testing.TB
	directory string
	n         int
}

func newSecrets(t testing.TB, server issued, ca *authority) *secrets {
	t.Helper()
	s := &secrets{t: t, directory: t.TempDir()}
	s.change(server, ca)
	for _, name := range []string{"tls.crt", "tls.key", "ca.crt"} {
		require.NoError(t, os.Symlink(filepath.Join("..data", name), s.path(name)))
	}
	return s
}

func (s *secrets) path(name string) string { return filepath.Join(s.directory, name) }

// change replaces all files in one step.
func (s *secrets) change(server issued, ca *authority) {
	s.t.Helper()
	s.n++
	version := "..version" + string(rune('0'+s.n))
	require.NoError(s.t, os.Mkdir(s.path(version), 0o700))
	for name, text := range map[string]string{"tls.crt": server.certificate, "tls.key": server.key, "ca.crt": ca.pem()} {
		require.NoError(s.t, os.WriteFile(filepath.Join(s.path(version), name), []byte(text), 0o600))
	}
	require.NoError(s.t, os.Symlink(version, s.path("..new")))
	require.NoError(s.t, os.Rename(s.path("..new"), s.path("..data")))
}

// write changes one file in place.
func (s *secrets) write(name, text string) {
	s.t.Helper()
	require.NoError(s.t, os.WriteFile(s.path(name), []byte(text), 0o600))
}

func (s *secrets) settings(auth tlscommon.TLSClientAuth) *tlscommon.ServerConfig {
	return &tlscommon.ServerConfig{
		Certificate: tlscommon.CertificateConfig{Certificate: s.path("tls.crt"), Key: s.path("tls.key")},
		CAs:         []string{s.path("ca.crt")},
		ClientAuth:  &auth,
	}
}
