// Package probe is `rtbeat test intake`. It connects to a running rtbeat as a sender does, posts an empty batch with each
// credential, and explains a failure. It is free of libbeat, and its reports hold no secret.
package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
)

const (
	maxAnswer  = 16 << 10          // bytes, headers included; an answer of rtbeat has a few lines
	emptyBatch = `{"messages":[]}` // rtbeat answers 200 at once, and publishes nothing
)

// Report takes the steps. libbeat's testing.Driver is one.
type Report interface {
	Error(step string, err error) // err is nil for a step that succeeded
	Warn(step, reason string)
}

// Target is the listener to test.
type Target struct {
	URL         *url.URL      // http, https, or unix with the path of the socket
	Timeout     time.Duration // for connecting, and then for the answer
	TLS         *tls.Config   // nil for plain HTTP; it must not verify the server, Run does
	AnyName     bool          // a certificate for another name is a warning, not an error
	Announce    func(local net.Addr) bool
	Credentials []Credential
}

// Credential adds a scheme of rtbeat.auth to a request.
type Credential struct {
	Name string // the setting, such as "rtbeat.auth.bearer"
	Set  func(req *http.Request, body string)
}

// The report has the reason.
var errFailed = errors.New("rtbeat did not answer as it must")

// Run posts an empty batch with each credential, over a connection of its own. It stops at the first step that fails. It
// reports the steps that lead to a connection once.
func (t *Target) Run(ctx context.Context, report Report) error {
	credentials := t.Credentials
	if len(credentials) == 0 {
		credentials = []Credential{{}}
	}
	for i, credential := range credentials {
		step := "dial up"
		err := t.post(ctx, credential, func(next, warning string) {
			switch {
			case i > 0:
			case warning == "":
				report.Error(step, nil)
			default:
				report.Warn(step, warning)
			}
			step = next
		})
		report.Error(step, t.explain(err))
		if err != nil {
			return errFailed
		}
	}
	return nil
}

// post connects and posts. It calls proceed at the end of each step but the last, with the next step and perhaps a warning. It does
// without http.Transport, which logs the first bytes of a server that speaks first.
func (t *Target) post(ctx context.Context, credential Credential, proceed func(next, warning string)) error {
	conn, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()             // the answer has been read
	_ = conn.SetDeadline(time.Now().Add(t.Timeout)) // fails on a closed connection only, as the next use does
	proceed("TLS", "")

	warning := "secure connection disabled"
	if t.TLS != nil {
		secure := tls.Client(conn, t.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		if warning, err = t.verify(secure.ConnectionState().PeerCertificates); err != nil {
			return err
		}
		conn = secure
	}
	with := ""
	if credential.Name != "" {
		with = " with " + credential.Name
	}
	proceed("talk to intake"+with, warning)

	at := t.URL.String()
	if t.URL.Scheme == "unix" {
		at = "http://localhost/in"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(emptyBatch))
	if err != nil {
		return err
	}
	req.Close = true
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "rtbeat-test-intake")
	if credential.Set != nil {
		credential.Set(req, emptyBatch)
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxAnswer)), req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return checkAnswer(resp.StatusCode, body, credential.Name)
}

// dial connects. Its PROXY protocol header names no client, as in a load balancer's health check.
func (t *Target) dial(ctx context.Context) (net.Conn, error) {
	network, address := "tcp", t.URL.Host
	if t.URL.Scheme == "unix" {
		network, address = "unix", t.URL.Path
	}
	dialer := net.Dialer{Timeout: t.Timeout}
	conn, err := dialer.DialContext(ctx, network, address)
	if err == nil && t.Announce != nil && t.Announce(conn.LocalAddr()) {
		local := proxyproto.Header{Version: 2, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}
		if _, err = local.WriteTo(conn); err != nil {
			_ = conn.Close()
		}
	}
	return conn, err
}

// verify checks the chain of the server. crypto/tls cannot warn of a name, and needs one for a Unix socket.
func (t *Target) verify(chain []*x509.Certificate) (warning string, err error) {
	options := x509.VerifyOptions{Roots: t.TLS.RootCAs, Intermediates: x509.NewCertPool()}
	for _, certificate := range chain[1:] {
		options.Intermediates.AddCert(certificate)
	}
	leaf, host := chain[0], t.URL.Hostname()
	if _, err := leaf.Verify(options); err != nil || host == "" || leaf.VerifyHostname(host) == nil {
		return "", err
	}
	names := slices.Clone(leaf.DNSNames) // the error of VerifyHostname does not always have them
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	warning = fmt.Sprintf("the certificate is for %s, and not for %s; senders have to use a name of the certificate: test that name with --url", strings.Join(names, ", "), host)
	if !t.AnyName {
		return "", errors.New(warning)
	}
	return warning, nil
}
