package cmd

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/elastic/beats/v7/libbeat/cmd/instance"
	"github.com/elastic/elastic-agent-libs/testing"
	"github.com/elastic/elastic-agent-libs/transport/tlscommon"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/clientip"
	"github.com/txn2/rtbeat/internal/probe"
)

// intakeTimeout is how long each attempt of `rtbeat test intake` may take.
const intakeTimeout = 5 * time.Second

// newTestIntakeCmd is `rtbeat test intake`, beside libbeat's "test config" and "test output".
func newTestIntakeCmd(settings instance.Settings, diskKey *string) *cobra.Command {
	var o intakeOptions
	cmd := &cobra.Command{
		Use:   "intake",
		Short: "Test that a running " + settings.Name + " takes batches, by using the current settings",
		Long: `Intake connects to the rtbeat that runs with this configuration, as a sender
does, and posts an empty batch with each of the credentials in rtbeat.auth.
Nothing is published. It prints each step. The exit code is 1 if the answer is
not 200.

If rtbeat listens on every address, it connects to this machine's loopback
address. --url names another address, such as a proxy's. The certificate of
rtbeat must be signed by an authority of this machine, by one of
rtbeat.ssl.certificate_authorities, or by --ca.`,
		Example: `  rtbeat test intake -c rtbeat.yml
  rtbeat test intake -c rtbeat.yml --url https://rtbeat.example.com:8081 --ca ca.pem
  rtbeat test intake -c rtbeat.yml --certificate sender.pem --key sender.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SilenceUsage = true
			c, err := loadConfig(settings, diskKey)
			if err != nil {
				return err
			}
			target, err := o.target(c)
			if err != nil {
				return err
			}
			cmd.SilenceErrors = true // the report has the failure
			driver := testing.NewConsoleDriverWithKiller(cmd.OutOrStdout(), func() {})
			driver.Run("intake: "+target.URL.Redacted(), func(driver testing.Driver) {
				err = target.Run(cmd.Context(), driver)
			})
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.url, "url", "", "where to test: http://host:port, https://host:port or unix:///path; the configured listener when empty")
	flags.DurationVar(&o.timeout, "timeout", intakeTimeout, "how long connecting, and an answer, may take")
	flags.StringVar(&o.ca, "ca", "", "file with the certificate of the authority that signed rtbeat's")
	flags.StringVar(&o.certificate, "certificate", "", "file with the client certificate, where rtbeat asks for one")
	flags.StringVar(&o.key, "key", "", "file with the key of the client certificate")
	cmd.MarkFlagsRequiredTogether("certificate", "key")
	return cmd
}

type intakeOptions struct {
	url, ca, certificate, key string
	timeout                   time.Duration
}

// target makes the target of the test from the configuration and the flags.
func (o *intakeOptions) target(c config.Config) (*probe.Target, error) {
	if o.timeout <= 0 {
		return nil, fmt.Errorf("--timeout must be positive, got %v", o.timeout)
	}
	t := &probe.Target{Timeout: o.timeout, Credentials: credentialsOf(c.Auth), AnyName: o.url == ""}
	var err error
	if o.url != "" {
		if t.URL, err = parseURL(o.url); err != nil {
			return nil, fmt.Errorf("--url: %w", err)
		}
	} else if t.URL, err = listenerURL(c); err != nil {
		return nil, err
	}
	if c.ProxyProtocol {
		trusted, err := clientip.ParseTrusted(c.TrustedProxies)
		if err != nil {
			return nil, fmt.Errorf("rtbeat.trusted_proxies: %w", err)
		}
		t.Announce = func(local net.Addr) bool {
			if tcp, is := local.(*net.TCPAddr); is {
				return trusted.Has(tcp.AddrPort().Addr().Unmap().WithZone(""))
			}
			return trusted.Unix()
		}
	}
	if t.URL.Scheme == "https" || t.URL.Scheme == "unix" && c.SSL.IsEnabled() {
		t.TLS, err = o.tls(c, t.URL.Hostname())
	}
	return t, err
}

// listenerURL is the URL of the configured listener.
func listenerURL(c config.Config) (*url.URL, error) {
	if path, is := c.Socket(); is {
		return &url.URL{Scheme: "unix", Path: path}, nil
	}
	if c.Port == 0 {
		return nil, errors.New("rtbeat.port is 0, which is any free port; name the port of the log line \"listening on\" with --url")
	}
	scheme, host := "http", strings.Trim(c.Host, "[]")
	if c.SSL.IsEnabled() {
		scheme = "https"
	}
	switch addr, err := netip.ParseAddr(host); { // 0.0.0.0 and :: are for listening only
	case host == "", err == nil && addr == netip.IPv4Unspecified():
		host = "127.0.0.1"
	case err == nil && addr.IsUnspecified():
		host = "::1"
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, strconv.Itoa(c.Port)), Path: "/in"}, nil
}

// parseURL does not quote the URL in an error: it may hold a password.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		u = &url.URL{}
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	isSocket := u.Scheme == "unix" && u.Host == "" && strings.HasPrefix(u.Path, "/")
	switch {
	case u.User != nil:
		return nil, errors.New("it has a user; remove it, because credentials come from the configuration")
	case isSocket:
		return u, nil
	case port == "" || u.Hostname() == "":
		return nil, errors.New("write http://host:port, https://host:port or unix:///path")
	}
	u.Host = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
	if u.Path == "" || u.Path == "/" {
		u.Path = "/in"
	}
	return u, nil
}

// credentialsOf returns the first secret of each scheme.
func credentialsOf(a auth.Settings) (credentials []probe.Credential) {
	add := func(scheme string, set func(req *http.Request, body string)) {
		credentials = append(credentials, probe.Credential{Name: "rtbeat.auth." + scheme, Set: set})
	}
	if tokens := a.Bearer.Tokens; len(tokens) > 0 {
		add("bearer", func(req *http.Request, _ string) { req.Header.Set("Authorization", "Bearer "+tokens[0].Value) })
	}
	if a.Basic.Username != "" {
		add("basic", func(req *http.Request, _ string) { req.SetBasicAuth(a.Basic.Username, a.Basic.Password) })
	}
	if values := a.Header.Values; len(values) > 0 {
		add("header", func(req *http.Request, _ string) { req.Header.Set(a.Header.Name, values[0].Value) })
	}
	if len(a.HMAC.Keys) > 0 {
		add("hmac", func(req *http.Request, body string) {
			_ = a.HMAC.Sign(req.Header, []byte(body), time.Now()) // it fails for settings that Check refuses
		})
	}
	return credentials
}

// tls is for a server at host, with the authorities and the client certificate.
func (o *intakeOptions) tls(c config.Config, host string) (*tls.Config, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // this machine has none
	}
	if c.SSL.IsEnabled() {
		for _, authority := range c.SSL.CAs {
			if err := addRoot(roots, authority); err != nil {
				return nil, fmt.Errorf("rtbeat.ssl.certificate_authorities: %w", err)
			}
		}
	}
	if o.ca != "" {
		if err := addRoot(roots, o.ca); err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
	}
	s := &tls.Config{
		ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		InsecureSkipVerify: true, //nolint:gosec // the probe verifies
	}
	if o.certificate != "" {
		pair, err := tls.LoadX509KeyPair(o.certificate, o.key)
		if err != nil {
			return nil, fmt.Errorf("--certificate and --key: %w", err)
		}
		// Send it in any case, so that rtbeat gives its reason. With Certificates, crypto/tls may send none.
		s.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return s, nil
}

// addRoot adds the certificates of a file, or of PEM text, as libbeat's settings have either.
func addRoot(roots *x509.CertPool, authority string) error {
	source, err := tlscommon.NewPEMReader(authority)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(source)
	if err == nil && !roots.AppendCertsFromPEM(text) {
		err = errors.New("it has no certificate; name a PEM file")
	}
	return err
}
