package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/transport/tlscommon"
)

// The names of the protocols in ALPN (RFC 7301, RFC 9113 section 3.2).
const (
	http1 = "http/1.1"
	http2 = "h2"
)

// Certificates are the TLS settings of a server, with the content of their files.
//
// The files are certificate, key, passphrase of the key, and certificate authorities. A handshake checks them, at most once in
// lookEvery, and reads them again when one has changed: another file at the path, symbolic links followed, another size, mode
// or time of change. So a renewed certificate, and a change of the authorities, is in use from the next handshake on. There is
// no goroutine. PEM text in the settings cannot change.
//
// While reading fails, for example because a key does not fit its certificate yet, the former content stays in use. The log
// says so once for each change. The files are read again when they change, and every retryEvery.
//
// Open connections keep their certificates. After a change every client needs a full handshake: no session may rest on an
// authority that was removed.
type Certificates struct {
	settings *tlscommon.ServerConfig
	log      *logp.Logger
	now      func() time.Time // differs in tests only
	files    []string

	serving  atomic.Pointer[tls.Config]
	expiry   atomic.Int64 // the soonest NotAfter of the certificates in use, in Unix seconds
	lookNext atomic.Int64 // in nanoseconds since 1970

	mu     sync.Mutex // held while files are checked and read
	seen   []stamp    // of the files at the last attempt to read them
	failed time.Time  // of the last attempt, zero if it succeeded
}

// TLS reads the certificates of settings (rtbeat.ssl). It returns nil and no error for plain HTTP: settings are nil or not
// enabled.
//
// It refuses a certificate or key that is missing or cannot be read, and names the setting. Settings.Check must have
// accepted the settings. They must not change afterwards. log must not be nil.
func TLS(settings *tlscommon.ServerConfig, log *logp.Logger) (*Certificates, error) {
	if !settings.IsEnabled() {
		return nil, nil
	}
	if err := settings.Validate(); err != nil {
		return nil, fmt.Errorf("rtbeat.ssl needs certificate and key: %w", redact(err, settings))
	}
	if err := checkTexts(&settings.Certificate); err != nil {
		return nil, err
	}
	c := &Certificates{settings: settings, log: log, now: time.Now, files: watched(settings)}
	if err := c.Reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Config returns the configuration for http.Server.TLSConfig, nil if c is nil. Each handshake gets the newest certificates. It
// offers HTTP/2 beside HTTP/1.1, unless rtbeat.ssl.cipher_suites leaves out the suites that HTTP/2 requires.
func (c *Certificates) Config() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: slices.Clone(c.serving.Load().NextProtos),
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			c.look()
			return c.serving.Load(), nil
		},
	}
}

// Reload reads all files now, changed or not. When it fails, the former content stays in use. It may be called from any
// goroutine. A nil c has nothing to read.
func (c *Certificates) Reload() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lookNext.Store(c.now().Add(lookEvery).UnixNano())
	return c.read()
}

// load reads the files, and makes the configuration of the next handshakes.
func (c *Certificates) load() error {
	loaded, err := tlscommon.LoadTLSServerConfig(c.settings, c.log)
	if err != nil {
		return fmt.Errorf("reading the files of rtbeat.ssl: %w", redact(err, c.settings))
	}
	config := loaded.BuildServerConfig("") // the name is for clients
	expiry, err := soonest(config.Certificates)
	if err != nil {
		return err
	}
	config.NextProtos = protocols(config)
	// Keys for session tickets that belong to these files alone, and that crypto/tls changes daily. Without them the
	// keys of the Config in http.Server would be used (ticketKeys in crypto/tls/common.go), and tickets outlive a change.
	tickets := &tls.Config{MinVersion: config.MinVersion}
	config.WrapSession, config.UnwrapSession = tickets.EncryptTicket, tickets.DecryptTicket
	c.serving.Store(config)
	c.expiry.Store(expiry)
	return nil
}

// Expiry is when the first of the certificates in use ends: the server's, or one of its chain. It checks the files first, as a
// handshake does, so that a renewed certificate counts without a handshake. It may be called from any goroutine.
func (c *Certificates) Expiry() time.Time {
	c.look()
	return time.Unix(c.expiry.Load(), 0)
}

// soonest is the first NotAfter of all certificates, in Unix seconds.
func soonest(chains []tls.Certificate) (expiry int64, err error) {
	for _, chain := range chains {
		for _, der := range chain.Certificate {
			certificate, err := x509.ParseCertificate(der)
			if err != nil {
				return 0, fmt.Errorf("reading the certificate of rtbeat.ssl: %w", err)
			}
			if end := certificate.NotAfter.Unix(); expiry == 0 || end < expiry {
				expiry = end
			}
		}
	}
	return expiry, nil
}

// protocols are the protocols for ALPN. HTTP/2 on TLS 1.2 requires one of two suites (RFC 9113 section 9.2.2 and appendix A).
// Without them, net/http would end a connection after it had agreed to HTTP/2.
func protocols(config *tls.Config) []string {
	suites := config.CipherSuites
	if config.MinVersion < tls.VersionTLS13 && suites != nil &&
		!slices.Contains(suites, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256) &&
		!slices.Contains(suites, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256) {
		return []string{http1}
	}
	return []string{http2, http1}
}

// checkTexts refuses a value that is neither PEM text nor the path of a file: it may be a key, and tlscommon would log it as
// the name of a file.
func checkTexts(certificate *tlscommon.CertificateConfig) error {
	for _, setting := range []struct{ key, value string }{
		{"certificate", certificate.Certificate}, {"key", certificate.Key}, {"key_passphrase_path", certificate.PassphrasePath},
	} {
		if tlscommon.IsPEMString(setting.value) || mayBeShown(setting.value) {
			continue
		}
		if _, err := os.Stat(setting.value); err != nil {
			return fmt.Errorf("rtbeat.ssl.%s is neither the path of an existing file, nor PEM text, which begins with -----BEGIN", setting.key)
		}
	}
	return nil
}

// redact returns err without the secrets of settings: tlscommon puts the whole key into its errors.
func redact(err error, settings *tlscommon.ServerConfig) error {
	text := err.Error()
	for _, value := range []string{settings.Certificate.Key, settings.Certificate.Certificate, settings.Certificate.Passphrase} {
		if !mayBeShown(value) {
			text = strings.ReplaceAll(text, value, "(text in the settings)")
		}
	}
	return errors.New(text)
}

// mayBeShown tells whether value looks like a path, and not like a key with or without its first line. A key is longer than the
// usual name of a file, unless the path is absolute.
func mayBeShown(value string) bool {
	return !tlscommon.IsPEMString(value) && !strings.ContainsAny(value, "\r\n") && (len(value) <= longestName || filepath.IsAbs(value))
}

// longestName is the longest relative path that errors show. The shortest key, of Ed25519, has 64 characters in base64.
const longestName = 60
