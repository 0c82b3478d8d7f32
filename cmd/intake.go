package cmd

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/elastic/beats/v7/libbeat/cmd/instance"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/transport/tlscommon"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/auth"
)

// newTestIntakeCmd is `rtbeat test intake`, beside libbeat's "test config" and "test output".
func newTestIntakeCmd(settings instance.Settings, diskKey *string) *cobra.Command {
	var to intakeClient
	cmd := &cobra.Command{
		Use:   "intake",
		Short: "Test that a running " + settings.Name + " takes batches, by using the current settings",
		Long: `Intake posts an empty batch to each source of the rtbeat that runs with this
configuration, with each of the credentials in its auth. Nothing is published. The
exit code is 1 if an answer is not 200. Without --url it connects to the configured
listener, trusts the configured certificate alone, and says what senders find in it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SilenceUsage = true
			c, err := loadConfig(settings, diskKey)
			if err != nil {
				return err
			}
			var own []*x509.Certificate
			switch {
			case to.url == "":
				if own, err = to.connectToListener(c); err != nil {
					return err
				}
			case c.SSL.IsEnabled() && len(to.tls.CAs) == 0:
				to.tls.CAs = c.SSL.CAs
			}
			for _, source := range c.AllSources() {
				client := to
				if err := client.connect(strings.TrimSuffix(source.Path, "*")); err != nil {
					return err
				}
				headers := credentials(source.Auth)
				for _, scheme := range slices.Sorted(maps.Keys(headers)) {
					headers[scheme].Set("Content-Type", "application/json") // the batch would be a message in NDJSON
					if _, err := client.post(cmd.Context(), headers[scheme], emptyBatch); err != nil {
						return fmt.Errorf("%s with %s: %w", client.url, scheme, err)
					}
					fmt.Fprintf(cmd.OutOrStdout(), "%s with %s: OK\n", client.url, scheme)
				}
			}
			if own != nil {
				fmt.Fprintln(cmd.OutOrStdout(), describeChain(own, nil))
			}
			return nil
		},
	}
	to.addFlags(cmd.Flags(), "url", 5*time.Second)
	return cmd
}

// listenerURL is the URL of the configured listener.
func listenerURL(c config.Config) string {
	if path, is := c.Socket(); is {
		return "unix://" + path
	}
	host := strings.Trim(c.Host, "[]")
	if host == "" || net.ParseIP(host).IsUnspecified() { // an address for listening, which an HTTP proxy would get
		host = "localhost"
	}
	address := net.JoinHostPort(host, strconv.Itoa(c.Port))
	if c.SSL.IsEnabled() {
		return "https://" + address
	}
	return "http://" + address
}

var emptyBatch = []byte(`{"messages":[]}`) // rtbeat publishes nothing

// credentials returns the header of each.
func credentials(a auth.Settings) map[string]http.Header {
	all := map[string]http.Header{}
	for i, token := range a.Bearer.Tokens {
		all[fmt.Sprintf("auth.bearer.tokens[%d]", i)] = http.Header{"Authorization": {"Bearer " + token.Value}}
	}
	for i, value := range a.Header.Values {
		all[fmt.Sprintf("auth.header.values[%d]", i)] = http.Header{http.CanonicalHeaderKey(a.Header.Name): {value.Value}}
	}
	if a.Basic.Username != "" {
		text := base64.StdEncoding.EncodeToString([]byte(a.Basic.Username + ":" + a.Basic.Password))
		all["auth.basic"] = http.Header{"Authorization": {"Basic " + text}}
	}
	if len(a.HMAC.Keys) > 0 {
		all["auth.hmac"] = http.Header{}
		_ = a.HMAC.Sign(all["auth.hmac"], emptyBatch, time.Now()) // Check has refused what it cannot
	}
	if len(all) == 0 {
		all["no credentials"] = http.Header{}
	}
	return all
}

// intakeClient posts to one URL.
type intakeClient struct {
	url   string
	tls   tlscommon.Config
	own   bool // trusts the certificate of rtbeat.ssl alone
	http  http.Client
	proxy func(*http.Request) (*url.URL, error) // nil for none
}

func (c *intakeClient) addFlags(flags *pflag.FlagSet, target string, timeout time.Duration) {
	flags.StringVar(&c.url, target, "", "http://host:port/path, https://host:port/path or unix:///socket")
	flags.DurationVar(&c.http.Timeout, "timeout", timeout, "how long an attempt may take; 0 is no limit")
	flags.StringSliceVar(&c.tls.CAs, "ca", nil, "file with the authority that signed rtbeat's certificate")
	flags.StringVar(&c.tls.Certificate.Certificate, "certificate", "", "file with the client certificate")
	flags.StringVar(&c.tls.Certificate.Key, "key", "", "file with the key of the client certificate")
}

// connectToListener makes the client connect to the configured listener. It returns the listener's certificates, which are nil
// without TLS. The certificate has the senders' name and not the listener's, and may be signed by an authority of theirs. It is in
// the configuration, so it is the only one to trust, unless --ca names an authority.
func (c *intakeClient) connectToListener(settings config.Config) ([]*x509.Certificate, error) {
	c.url = listenerURL(settings)
	if !strings.HasPrefix(c.url, "https:") {
		return nil, nil
	}
	own, err := readChain(settings.SSL.Certificate.Certificate)
	if err != nil {
		return nil, fmt.Errorf("reading rtbeat.ssl.certificate: %w", err)
	}
	c.tls.VerificationMode = tlscommon.VerifyCertificate
	if len(c.tls.CAs) == 0 {
		c.tls.CAs, c.own = []string{inPEM(own[0])}, true
	}
	return own, nil
}

// connect checks the settings. path is for a URL without one.
func (c *intakeClient) connect(path string) error {
	security, err := tlscommon.LoadTLSConfig(&c.tls, logp.NewNopLogger())
	if err != nil {
		return err
	}
	transport := &http.Transport{Proxy: c.proxy, MaxIdleConnsPerHost: 64}
	switch to, err := url.Parse(c.url); {
	case err == nil && to.Scheme == "unix" && to.Host == "":
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", to.Path)
		}
		c.url = "http://localhost" + path
	case err == nil && (to.Scheme == "http" || to.Scheme == "https") && to.Host != "" && to.User == nil:
		transport.TLSClientConfig = security.BuildModuleClientConfig(to.Hostname())
		if strings.Trim(to.Path, "/") == "" {
			to.Path = path
		}
		c.url = to.String()
	default: // without err, which quotes secrets of the URL
		return errors.New("the URL must be http://host:port/path, https://host:port/path or unix:///socket, without a user")
	}
	c.http.Transport = transport
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	log.SetOutput(io.Discard) // net/http logs bytes of a server that speaks first
	return nil
}

// answer is rtbeat's.
type answer struct {
	Code                 int `json:"-"` // 0 without an answer
	Ack, Reason, Message string
	Offset               int // of the problem, in the body
}

// codeAdvices are for the code of an answer.
var codeAdvices = map[int]string{
	http.StatusUnauthorized: ". Compare the credentials with rtbeat.auth of the running rtbeat",
	http.StatusForbidden:    ". Name another client certificate with --certificate and --key",
	http.StatusNotFound:     ". Compare the path with rtbeat.sources, and the port with rtbeat.port",
}

// advices are for an error. Its text may be another program's, and is not shown.
var advices = [][2]string{
	{"connection refused", "connection refused: check that rtbeat listens there"},
	{"unknown authority", "unknown authority: name the one that signed rtbeat's certificate with --ca"},
	{"certificate has expired", "rtbeat's certificate is expired or not yet valid: renew it, or check this machine's clock"},
	{"remote error: tls", "rtbeat wants another client certificate: see --certificate and --key"},
}

func advise(text string) string {
	for _, row := range advices {
		if strings.Contains(text, row[0]) {
			return row[1]
		}
	}
	return "no answer: check the URL, the name in the certificate and --timeout"
}

// post returns an error unless rtbeat answered 200. backoff.Retry knows from the error whether and when to retry.
func (c *intakeClient) post(ctx context.Context, header http.Header, body []byte) (a answer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return a, backoff.Permanent(err)
	}
	req.Header = header
	resp, err := c.http.Do(req)
	if err != nil {
		if text := err.Error(); c.own && strings.Contains(text, "unknown authority") {
			return a, errors.New("rtbeat serves another certificate than rtbeat.ssl.certificate has: its log says why it did not read that one")
		}
		return a, errors.New(advise(err.Error()))
	}
	defer resp.Body.Close()
	if json.NewDecoder(io.LimitReader(resp.Body, 16<<10)).Decode(&a) != nil || a.Ack+a.Reason == "" {
		a = answer{Reason: "is no answer of rtbeat", Message: "another program or a proxy listens there"}
	}
	a.Code = resp.StatusCode
	text := strconv.QuoteToGraphic(a.Reason + ": " + a.Message) // has no control characters
	err = fmt.Errorf("%d %s%s", a.Code, text[1:len(text)-1], codeAdvices[a.Code])
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	switch after := time.Duration(min(seconds, 300)) * time.Second; {
	case a.Code == http.StatusOK && a.Ack != "":
		return a, nil
	case a.Code != http.StatusOK && a.Code < 500 && a.Code != http.StatusRequestTimeout && a.Code != http.StatusTooManyRequests:
		return a, backoff.Permanent(err)
	case after > 0:
		err = fmt.Errorf("%w; %w", err, &backoff.RetryAfterError{Duration: after + mathrand.N(after/2)}) //nolint:gosec // no secret
	}
	return a, err
}
