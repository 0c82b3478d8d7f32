package cmd

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
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
func newTestIntakeCmd(settings instance.Settings) *cobra.Command {
	var o intakeOptions
	cmd := &cobra.Command{
		Use:   "intake",
		Short: "Test that a running " + settings.Name + " takes batches, by using the current settings",
		Long: `Intake connects to the rtbeat that runs with this configuration, as a sender
does, and posts a batch of no messages with each of the credentials in
rtbeat.auth. Nothing is published. It says how far it came, and exits with 1 if
that is not a 200.

Where rtbeat listens on every address, it connects to this machine's own; with
--url to another address, a proxy's for example. The certificate of rtbeat has
to come from an authority of this machine, one of
rtbeat.ssl.certificate_authorities, or --ca.`,
		Example: `  rtbeat test intake -c rtbeat.yml
  rtbeat test intake -c rtbeat.yml --url https://rtbeat.example.com:8081 --ca ca.pem
  rtbeat test intake -c rtbeat.yml --certificate sender.pem --key sender.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SilenceUsage = true
			c, err := loadConfig(settings)
			if err != nil {
				return err
			}
			target, err := o.target(c)
			if err != nil {
				return err
			}
			cmd.SilenceErrors = true // what fails from here on has been told
			driver := testing.NewConsoleDriverWithKiller(cmd.OutOrStdout(), func() {})
			driver.Run("intake: "+target.URL.Redacted(), func(driver testing.Driver) {
				err = target.Run(cmd.Context(), report{driver})
			})
			return err //nolint:wrapcheck // it has been told, and makes the exit code 1; nobody reads its text
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

// loadConfig reads the rtbeat section as a run does, with the settings of the command line and the secrets of the keystore.
func loadConfig(settings instance.Settings) (config.Config, error) {
	b, err := instance.NewInitializedBeat(settings)
	if err != nil {
		return config.Config{}, fmt.Errorf("initializing: %w", err)
	}
	section, err := b.BeatConfig()
	if err != nil {
		return config.Config{}, fmt.Errorf("reading the rtbeat section: %w", err)
	}
	c, _, err := config.Load(section) // its warnings are those of "test config"
	if err != nil {
		return config.Config{}, fmt.Errorf("checking the configuration: %w", err)
	}
	return c, nil
}

// report tells the steps in the form of libbeat's "test output".
type report struct{ driver testing.Driver }

func (r report) OK(step string)              { r.driver.Error(step, nil) }
func (r report) Warn(step, reason string)    { r.driver.Warn(step, reason) }
func (r report) Fail(step string, err error) { r.driver.Error(step, err) }

type intakeOptions struct {
	url, ca, certificate, key string
	timeout                   time.Duration
}

// target is what the configuration and the flags say of a probe.
func (o *intakeOptions) target(c config.Config) (*probe.Target, error) {
	if o.timeout <= 0 {
		return nil, fmt.Errorf("--timeout must be positive, got %v", o.timeout)
	}
	t := &probe.Target{Timeout: o.timeout, Credentials: credentialsOf(c.Auth)}
	var err error
	if t.URL, err = o.where(c); err != nil {
		return nil, err
	}
	if c.ProxyProtocol {
		trusted, err := clientip.ParseTrusted(c.TrustedProxies)
		if err != nil {
			return nil, fmt.Errorf("rtbeat.trusted_proxies: %w", err)
		}
		t.Announces = func(local net.Addr) bool { return announces(trusted, local) }
	}
	if t.URL.Scheme == "https" || t.URL.Scheme == "unix" && c.SSL.IsEnabled() {
		t.TLS, err = o.tls(c)
	}
	return t, err
}

// where is --url, or else the configured listener.
func (o *intakeOptions) where(c config.Config) (*url.URL, error) {
	if o.url != "" {
		u, err := probe.ParseURL(o.url)
		if err != nil {
			return nil, fmt.Errorf("--url: %w", err)
		}
		return u, nil
	}
	if path, is := c.Socket(); is {
		return &url.URL{Scheme: "unix", Path: path}, nil
	}
	if c.Port == 0 {
		return nil, errors.New("rtbeat.port is 0, any free port: give the one of the log line \"listening on\" with --url")
	}
	scheme := "http"
	if c.SSL.IsEnabled() {
		scheme = "https"
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(reachable(c.Host), strconv.Itoa(c.Port)), Path: "/in"}, nil
}

// reachable is an address to connect to where host is one to listen on.
func reachable(host string) string {
	host = strings.Trim(host, "[]")
	if host == "" {
		return "127.0.0.1"
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil || !addr.IsUnspecified():
		return host
	case addr.Is4():
		return "127.0.0.1"
	default:
		return "::1"
	}
}

// announces tells whether rtbeat wants a PROXY protocol header from here.
func announces(trusted clientip.Trusted, local net.Addr) bool {
	tcp, is := local.(*net.TCPAddr)
	if !is {
		return trusted.Unix()
	}
	return trusted.Has(tcp.AddrPort().Addr().Unmap().WithZone(""))
}

// credentialsOf are the first of each scheme.
func credentialsOf(a auth.Settings) (credentials []probe.Credential) {
	if len(a.Bearer.Tokens) > 0 {
		credentials = append(credentials, probe.Bearer(a.Bearer.Tokens[0]))
	}
	if a.Basic.Username != "" {
		credentials = append(credentials, probe.Basic(a.Basic.Username, a.Basic.Password))
	}
	if len(a.HMAC.Keys) > 0 {
		credentials = append(credentials, probe.Signature(a.HMAC.Keys[0], a.HMAC.Header, a.HMAC.Prefix, a.HMAC.TimestampHeader))
	}
	return credentials
}

// tls reads the authorities that rtbeat's certificate may come from, and the client's certificate.
func (o *intakeOptions) tls(c config.Config) (*probe.TLS, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // this machine has none
	}
	if c.SSL.IsEnabled() {
		for _, ca := range c.SSL.CAs {
			if err := addRoots(roots, ca); err != nil {
				return nil, fmt.Errorf("rtbeat.ssl.certificate_authorities: %w", err)
			}
		}
	}
	if o.ca != "" {
		if err := addRoots(roots, o.ca); err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
	}
	s := &probe.TLS{Roots: roots, LenientName: o.url == ""}
	if o.certificate != "" {
		pair, err := tls.LoadX509KeyPair(o.certificate, o.key)
		if err != nil {
			return nil, fmt.Errorf("--certificate and --key: %w", err)
		}
		s.Certificate = &pair
	}
	return s, nil
}

// addRoots adds what is in a file, or is PEM text itself, as libbeat's settings have it.
func addRoots(roots *x509.CertPool, ca string) error {
	reader, err := tlscommon.NewPEMReader(ca)
	if err != nil {
		return fmt.Errorf("opening it: %w", err)
	}
	defer func() { _ = reader.Close() }() // it was only read
	data, err := io.ReadAll(reader)
	if err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	if !roots.AppendCertsFromPEM(data) {
		return errors.New("there is no certificate in it")
	}
	return nil
}
