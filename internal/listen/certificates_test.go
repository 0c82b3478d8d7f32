package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/transport/tlscommon"
	"github.com/stretchr/testify/require"
)

// connect sends a request over TLS with config. It returns the state of an accepted connection.
func connect(t testing.TB, address string, config *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	secure := tls.Client(dial(t, "tcp", address), config)
	if err := secure.HandshakeContext(t.Context()); err != nil {
		return tls.ConnectionState{}, fmt.Errorf("handshake: %w", err)
	}
	// With TLS 1.3 the client learns of a refusal only when it reads.
	if _, err := io.WriteString(secure, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return tls.ConnectionState{}, fmt.Errorf("asking: %w", err)
	}
	if _, err := io.ReadAll(secure); err != nil {
		return tls.ConnectionState{}, fmt.Errorf("reading: %w", err)
	}
	return secure.ConnectionState(), nil
}

// serveTLS returns the address of a server with certificates.
func serveTLS(t testing.TB, c *Certificates) string {
	t.Helper()
	raw := loopback(t)
	run(t, server(NewBound(0), whoami, c.Config()), raw)
	return raw.Addr().String()
}

func TestClientCertificates(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	clients := map[string]issued{
		"good":          ours.issue(t, "client", nil),
		"expired":       ours.issue(t, "client", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }),
		"not yet valid": ours.issue(t, "client", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }),
		"for servers":   ours.issue(t, "client", func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] }),
		"self-signed":   (&authority{}).issue(t, "client", nil),
		"of another CA": theirs.issue(t, "client", nil),
		"of no name":    ours.issue(t, "", func(c *x509.Certificate) { c.DNSNames = nil }),
	}
	for mode, auth := range map[string]tlscommon.TLSClientAuth{
		"none": tlscommon.TLSClientAuthNone, "optional": tlscommon.TLSClientAuthOptional, "required": tlscommon.TLSClientAuthRequired,
	} {
		for verification, level := range map[string]tlscommon.TLSVerificationMode{
			"full": tlscommon.VerifyFull, "certificate": tlscommon.VerifyCertificate, "strict": tlscommon.VerifyStrict, "none": tlscommon.VerifyNone,
		} {
			settings := newSecrets(t, ours.issue(t, "server", nil), ours).settings(auth)
			settings.VerificationMode = level
			c, err := TLS(settings, logp.NewNopLogger())
			require.NoError(t, err)
			address := serveTLS(t, c)
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				for name := range clients {
					t.Run(fmt.Sprintf("%s/%s/%s/%s", mode, verification, tls.VersionName(version), name), func(t *testing.T) {
						pair := clients[name].pair(t)
						config := clientConfig(nil)
						config.MinVersion, config.MaxVersion = version, version
						// A client may send a certificate of an authority that the server does not name.
						config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
						_, err := connect(t, address, config)
						accepted := mode == "none" || name == "good" || name == "of no name"
						require.Equal(t, accepted, err == nil, "%v", err)
					})
				}
				t.Run(fmt.Sprintf("%s/%s/%s/no certificate", mode, verification, tls.VersionName(version)), func(t *testing.T) {
					config := clientConfig(nil)
					config.MinVersion, config.MaxVersion = version, version
					state, err := connect(t, address, config)
					require.Equal(t, mode != "required", err == nil, "%v", err)
					if err == nil {
						require.Equal(t, version, state.Version)
					}
				})
			}
		}
	}
}

func TestPinnedAuthority(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	settings := newSecrets(t, ours.issue(t, "server", nil), ours).settings(tlscommon.TLSClientAuthRequired)
	settings.CAs = []string{ours.pem(), other.pem()}
	settings.CASha256 = []string{tlscommon.Fingerprint(ours.certificate)}
	c, err := TLS(settings, logp.NewNopLogger())
	require.NoError(t, err)
	address := serveTLS(t, c)
	for a, want := range map[*authority]bool{ours: true, other: false} {
		pair := a.issue(t, "client", nil).pair(t)
		_, err := connect(t, address, clientConfig(&pair))
		require.Equal(t, want, err == nil, "%v", err)
	}
}

func TestOldProtocolsAreRefused(t *testing.T) {
	ca := newAuthority(t)
	address := serveTLS(t, ca.certificates(t))
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		config := clientConfig(nil)
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, version
		_, err := connect(t, address, config)
		require.ErrorContains(t, err, "protocol version")
	}
	settings := ca.issue(t, "server", nil).settings()
	settings.Versions = []tlscommon.TLSVersion{tlscommon.TLSVersion13}
	c, err := TLS(settings, logp.NewNopLogger())
	require.NoError(t, err)
	config := clientConfig(nil)
	config.MaxVersion = tls.VersionTLS12
	_, err = connect(t, serveTLS(t, c), config)
	require.ErrorContains(t, err, "protocol version")
}

func TestTLSRefusesAtStart(t *testing.T) {
	ca := newAuthority(t)
	good, other := ca.issue(t, "server", nil), ca.issue(t, "server", nil)
	none := filepath.Join(t.TempDir(), "none.pem")
	for name, c := range map[string]struct {
		change func(*tlscommon.ServerConfig)
		want   []string
	}{
		"no certificate":      {func(s *tlscommon.ServerConfig) { s.Certificate.Certificate = "" }, []string{"rtbeat.ssl needs certificate and key"}},
		"no key":              {func(s *tlscommon.ServerConfig) { s.Certificate.Key = "" }, []string{"rtbeat.ssl needs certificate and key", "key file"}},
		"a missing key":       {func(s *tlscommon.ServerConfig) { s.Certificate.Key = none }, []string{"rtbeat.ssl", none}},
		"a missing file":      {func(s *tlscommon.ServerConfig) { s.Certificate.Certificate = none }, []string{"rtbeat.ssl", none}},
		"a missing authority": {func(s *tlscommon.ServerConfig) { s.CAs = []string{none} }, []string{"rtbeat.ssl", none}},
		"another's key":       {func(s *tlscommon.ServerConfig) { s.Certificate.Key = other.key }, []string{"rtbeat.ssl", "private key does not match"}},
		"half a key":          {func(s *tlscommon.ServerConfig) { s.Certificate.Key = good.key[:60] }, []string{"rtbeat.ssl", "text in the settings"}},
		"no passphrase file":  {func(s *tlscommon.ServerConfig) { s.Certificate.PassphrasePath = none }, []string{"rtbeat.ssl", "passphrase", none}},
	} {
		t.Run(name, func(t *testing.T) {
			settings := good.settings()
			c.change(settings)
			_, err := TLS(settings, logp.NewNopLogger())
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "BEGIN", "no key may get into a log")
		})
	}
}

// A key without its first line looks like a path. Errors and the log must not show it.
func TestKeyWithoutItsFirstLine(t *testing.T) {
	good := newAuthority(t).issue(t, "server", nil)
	_, body, _ := strings.Cut(good.key, "\n")
	folder := t.TempDir()
	for key, settings := range map[string]tlscommon.CertificateConfig{
		"rtbeat.ssl.key is neither":                 {Certificate: good.certificate, Key: body},
		"rtbeat.ssl.key is neither the path":        {Certificate: good.certificate, Key: strings.ReplaceAll(body, "\n", "")},
		"rtbeat.ssl.certificate is neither":         {Certificate: body, Key: good.key},
		"rtbeat.ssl.key_passphrase_path is neither": {Certificate: good.certificate, Key: good.key, PassphrasePath: body},
	} {
		_, err := TLS(&tlscommon.ServerConfig{Certificate: settings}, logp.NewNopLogger())
		require.ErrorContains(t, err, key)
		require.NotContains(t, err.Error(), body[:20])
	}

	// It stays hidden too as one line, in the error of a missing file.
	line := strings.ReplaceAll(body, "\n", "")
	require.NotContains(t, redact(errors.New("open "+line+": no such file"),
		&tlscommon.ServerConfig{Certificate: tlscommon.CertificateConfig{Key: line}}).Error(), line[:20])

	// Names of files may be long.
	t.Chdir(folder)
	name := strings.Repeat("a", 120)
	require.NoError(t, os.WriteFile(name, []byte(good.key), 0o600))
	_, err := TLS(&tlscommon.ServerConfig{Certificate: tlscommon.CertificateConfig{Certificate: good.certificate, Key: name}}, logp.NewNopLogger())
	require.NoError(t, err)
}

func TestNoTLS(t *testing.T) {
	disabled := false
	for _, settings := range []*tlscommon.ServerConfig{nil, {Enabled: &disabled}} {
		c, err := TLS(settings, logp.NewNopLogger())
		require.NoError(t, err)
		require.Nil(t, c)
		require.Nil(t, c.Config())
		require.NoError(t, c.Reload())
	}
}

func TestHTTP2IsOfferedWhereItWorks(t *testing.T) {
	ca := newAuthority(t)
	for name, c := range map[string]struct {
		suites []uint16
		want   int
	}{
		"by default":    {nil, 2},
		"with its own":  {[]uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}, 2},
		"without these": {[]uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			settings := ca.issue(t, "server", nil).settings()
			for _, suite := range c.suites {
				settings.CipherSuites = append(settings.CipherSuites, tlscommon.CipherSuite(suite))
			}
			certificates, err := TLS(settings, logp.NewNopLogger())
			require.NoError(t, err)
			client := h2Client(t, nil)
			defer client.CloseIdleConnections()
			transport, _ := client.Transport.(*http.Transport)
			transport.TLSClientConfig.MaxVersion = tls.VersionTLS12
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+serveTLS(t, certificates), http.NoBody)
			require.NoError(t, err)
			res, err := client.Do(req)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, c.want, res.ProtoMajor)
		})
	}
}

// A client that sends nothing, or half a handshake, is closed after the timeout for headers.
func TestSilentClientIsClosed(t *testing.T) {
	raw := loopback(t)
	b := NewBound(10)
	s := server(b, whoami, newAuthority(t).certificates(t).Config())
	s.ReadHeaderTimeout = 100 * time.Millisecond
	run(t, s, b.Listener(raw))
	silent, half, shaken := dial(t, "tcp", raw.Addr().String()), dial(t, "tcp", raw.Addr().String()), dial(t, "tcp", raw.Addr().String())
	send(t, half, "\x16\x03\x01\x02\x00\x01")
	config := clientConfig(nil)
	config.NextProtos = []string{http1}
	handshake(t, shaken, config)
	start := time.Now()
	for _, conn := range []net.Conn{silent, half, shaken} {
		gone(t, conn)
	}
	require.Less(t, time.Since(start), patience/2)
	soon(t, func() bool { return b.Open() == 0 })
}

func TestPassphraseFromAFile(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "passphrase")
	require.NoError(t, os.WriteFile(path, []byte("secret"), 0o600))
	pair := newAuthority(t).issue(t, "server", nil)
	pair.key = encrypt(t, pair.key, "secret")
	settings := pair.settings()
	settings.Certificate.PassphrasePath = path
	c, err := TLS(settings, logp.NewNopLogger())
	require.NoError(t, err)
	require.Equal(t, []string{path}, c.files)
	_, err = connect(t, serveTLS(t, c), clientConfig(nil))
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(path, []byte("another"), 0o600))
	err = c.Reload()
	require.ErrorContains(t, err, "rtbeat.ssl")
	require.NotContains(t, err.Error(), "BEGIN")
	_, err = connect(t, serveTLS(t, c), clientConfig(nil))
	require.NoError(t, err)
}
