package listen

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/logp/logptest"
	"github.com/elastic/elastic-agent-libs/transport/tlscommon"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest/observer"
)

// encrypt protects a key with a passphrase, as in RFC 1423.
func encrypt(t testing.TB, key, passphrase string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(key))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(parsed)
	require.NoError(t, err)
	locked, err := x509.EncryptPEMBlock(sequence{}, "PRIVATE KEY", der, []byte(passphrase), x509.PEMCipherAES256) //nolint:staticcheck // old, and tlscommon reads it
	require.NoError(t, err)
	return string(pem.EncodeToMemory(locked))
}

type sequence struct{}

func (sequence) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)
	}
	return len(p), nil
}

// reloading is a server whose files change, with a clock of its own.
type reloading struct {
	*Certificates
	files   *secrets
	address string
	logged  *observer.ObservedLogs
	elapsed atomic.Int64
}

func newReloading(t *testing.T, server issued, ca *authority, auth tlscommon.TLSClientAuth) *reloading {
	t.Helper()
	log, logged := logptest.NewTestingLoggerWithObserver(t, "")
	r := &reloading{files: newSecrets(t, server, ca), logged: logged}
	var err error
	r.Certificates, err = TLS(r.files.settings(auth), log)
	require.NoError(t, err)
	start := time.Now()
	r.now = func() time.Time { return start.Add(time.Duration(r.elapsed.Load())) }
	r.address = serveTLS(t, r.Certificates)
	return r
}

func (r *reloading) pass(d time.Duration) { r.elapsed.Add(int64(d)) }

// serial is the serial number of the certificate that the server shows.
func (r *reloading) serial(t *testing.T) string {
	t.Helper()
	state, err := connect(t, r.address, clientConfig(nil))
	require.NoError(t, err)
	return state.PeerCertificates[0].SerialNumber.String()
}

func serialOf(t *testing.T, i issued) string {
	t.Helper()
	return i.pair(t).Leaf.SerialNumber.String()
}

func TestCertificateIsReadAgain(t *testing.T) {
	ca := newAuthority(t)
	first, second, third := ca.issue(t, "server", nil), ca.issue(t, "server", nil), ca.issue(t, "server", nil)
	r := newReloading(t, first, ca, tlscommon.TLSClientAuthNone)
	require.Equal(t, serialOf(t, first), r.serial(t))

	r.files.change(second, ca)
	require.Equal(t, serialOf(t, first), r.serial(t), "files are checked once a second")
	r.pass(lookEvery)
	require.Equal(t, serialOf(t, second), r.serial(t))
	require.Equal(t, 1, r.logged.FilterMessage("the files of rtbeat.ssl have changed and are in use").Len())

	r.files.change(third, ca)
	require.NoError(t, r.Reload())
	require.Equal(t, serialOf(t, third), r.serial(t))
	r.pass(lookEvery)
	serving := r.serving.Load()
	r.serial(t)
	require.Same(t, serving, r.serving.Load(), "nothing has changed since")
}

func TestUnusableFilesChangeNothing(t *testing.T) {
	ca := newAuthority(t)
	first, second := ca.issue(t, "server", nil), ca.issue(t, "server", nil)
	r := newReloading(t, first, ca, tlscommon.TLSClientAuthNone)
	failures := func() int { return r.logged.FilterMessageSnippet("cannot be used").Len() }
	handshakes := func(n int) {
		for range n {
			r.pass(lookEvery)
			require.Equal(t, serialOf(t, first), r.serial(t))
		}
	}
	for i, damage := range []func(){
		func() { r.files.write("tls.crt", second.certificate) }, // without its key yet
		func() { r.files.write("tls.key", second.key[:100]) },
		func() { r.files.write("ca.crt", "") },
		func() { require.NoError(t, os.Remove(r.files.path("tls.key"))) },
	} {
		damage()
		handshakes(3)
		require.Equal(t, i+1, failures(), "one line for each change")
	}
	require.Error(t, r.Reload())
	handshakes(3)
	r.pass(retryEvery) // tried again, without another line
	handshakes(3)
	require.Equal(t, 4, failures())
	for _, entry := range r.logged.All() {
		require.NotContains(t, entry.Message, "BEGIN")
	}

	r.files.change(second, ca)
	r.files.write("ca.crt", ca.pem())
	require.NoError(t, os.Symlink("..data/tls.key", r.files.path("tls.key")))
	r.pass(lookEvery)
	require.Equal(t, serialOf(t, second), r.serial(t))
	require.Equal(t, 4, failures())
}

// Files that could not be read for another reason, such as too many open files, are read again without a change.
func TestUnusableFilesAreTriedAgain(t *testing.T) {
	ca := newAuthority(t)
	first := ca.issue(t, "server", nil)
	r := newReloading(t, first, ca, tlscommon.TLSClientAuthNone)
	r.mu.Lock()
	r.failed = r.now()
	serving := r.serving.Load()
	r.mu.Unlock()
	r.pass(retryEvery - time.Nanosecond)
	r.serial(t)
	require.Same(t, serving, r.serving.Load())
	r.pass(lookEvery)
	r.serial(t)
	require.NotSame(t, serving, r.serving.Load())
	require.Zero(t, r.logged.FilterMessageSnippet("cannot be used").Len())
}

// The CA is a file that is written in place, as by a configuration tool.
func TestNoSessionIsResumedAfterAnAuthorityIsRemoved(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, auth := range map[string]tlscommon.TLSClientAuth{"required": tlscommon.TLSClientAuthRequired, "optional": tlscommon.TLSClientAuthOptional} {
			t.Run(tls.VersionName(version)+"/"+name, func(t *testing.T) {
				a, b := newAuthority(t), newAuthority(t)
				r := newReloading(t, a.issue(t, "server", nil), a, auth)
				pair := a.issue(t, "client", nil).pair(t)
				config := clientConfig(nil)
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
				config.MinVersion, config.MaxVersion = version, version
				config.ClientSessionCache = tls.NewLRUClientSessionCache(8)
				config.ServerName = "server"

				state, err := connect(t, r.address, config)
				require.NoError(t, err)
				require.False(t, state.DidResume)
				state, err = connect(t, r.address, config)
				require.NoError(t, err)
				require.True(t, state.DidResume, "without a change sessions are resumed")

				r.files.write("ca.crt", b.pem())
				r.pass(lookEvery)
				_, err = connect(t, r.address, config)
				require.Error(t, err)

				pair = b.issue(t, "client", nil).pair(t)
				config.ClientSessionCache = tls.NewLRUClientSessionCache(8)
				_, err = connect(t, r.address, config)
				require.NoError(t, err)
			})
		}
	}
}

func TestSessionsDoNotOutliveAChange(t *testing.T) {
	ca := newAuthority(t)
	r := newReloading(t, ca.issue(t, "server", nil), ca, tlscommon.TLSClientAuthNone)
	config := clientConfig(nil)
	config.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	config.ServerName = "server"
	for _, want := range []bool{false, true} {
		state, err := connect(t, r.address, config)
		require.NoError(t, err)
		require.Equal(t, want, state.DidResume)
	}
	r.files.change(ca.issue(t, "server", nil), ca)
	r.pass(lookEvery)
	state, err := connect(t, r.address, config)
	require.NoError(t, err)
	require.False(t, state.DidResume)
}

func TestHandshakesWhileFilesChange(t *testing.T) {
	ca := newAuthority(t)
	servers := []issued{ca.issue(t, "server", nil), ca.issue(t, "server", nil)}
	r := newReloading(t, servers[0], ca, tlscommon.TLSClientAuthNone)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 10 {
				r.pass(lookEvery)
				if _, err := connect(t, r.address, clientConfig(nil)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 8 {
		r.files.change(servers[i%2], ca)
	}
	all.Wait()
	r.pass(retryEvery)
	require.Equal(t, serialOf(t, servers[1]), r.serial(t))
}

func TestOnlyFilesAreWatched(t *testing.T) {
	pair := newAuthority(t).issue(t, "server", nil)
	settings := pair.settings()
	settings.CAs = []string{"\n" + pair.certificate}
	settings.Certificate.Passphrase, settings.Certificate.PassphrasePath = "given", "/never/read"
	c, err := TLS(settings, logp.NewNopLogger())
	require.NoError(t, err)
	require.Empty(t, c.files)
	require.True(t, strings.HasPrefix(settings.CAs[0], "\n"))
}
