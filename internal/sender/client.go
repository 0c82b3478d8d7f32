// Package sender is a sender's side of the promise: it keeps each batch until rtbeat's 200.
package sender

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const maxAnswer = 16 << 10 // bytes of headers, and of the body: an answer of rtbeat has a few lines

// Client posts to one URL.
type Client struct {
	URL  string
	http http.Client
}

// NewClient returns a client for http, https, and unix or unixs with the path of a socket. path is for a URL without one.
func NewClient(to url.URL, path string, secure *tls.Config, timeout time.Duration) *Client {
	transport := &http.Transport{TLSClientConfig: secure, MaxResponseHeaderBytes: maxAnswer, MaxIdleConnsPerHost: 64, Proxy: http.ProxyFromEnvironment}
	if tail, isSocket := strings.CutPrefix(to.Scheme, "unix"); isSocket {
		socket := to.Path
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
		to = url.URL{Scheme: "http" + tail, Host: "localhost"}
	}
	if to.Path == "" || to.Path == "/" {
		to.Path = path
	}
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // it would become a GET
	return &Client{to.String(), http.Client{Transport: transport, Timeout: timeout, CheckRedirect: noRedirect}}
}

// Answer is rtbeat's. Code is 0 without one. The texts are printable, and have no bytes of another program.
type Answer struct {
	Code                 int `json:"-"`
	Reason, Message, Ack string
	Messages, Offset     int           // the number of them, and where in the body the problem is
	After                time.Duration `json:"-"` // Retry-After
}

// Err is nil for a 200.
func (a *Answer) Err() error {
	if a.Code == http.StatusOK && a.Ack != "" {
		return nil
	}
	return errors.New(strings.TrimPrefix(fmt.Sprintf("%d %s: %s%s", a.Code, a.Reason, a.Message, codes[a.Code]), "0 "))
}

// isFinal tells whether the next attempt would end in the same way.
func (a *Answer) isFinal() bool {
	return a.Code > 0 && a.Code < 500 && a.Code != http.StatusTooManyRequests && a.Code != http.StatusRequestTimeout
}

var codes = map[int]string{
	http.StatusUnauthorized:         ". Compare the credentials with rtbeat.auth of the running rtbeat; reload it if that was changed",
	http.StatusForbidden:            ". Give another client certificate with --certificate and --key, or add its name",
	http.StatusNotFound:             ". The URL may be the admin listener's (rtbeat.admin.port), or have another path",
	http.StatusUnsupportedMediaType: ". Allow application/x-ndjson in content_types of this path",
}

// problems are what an error may contain, with what to do. The rest of the error may quote the peer, and is not shown.
var problems = [][2]string{
	{"no such host", "correct the name"},
	{"connection refused", "nothing listens there: check that rtbeat runs with this address"},
	{"no such file", "there is no such socket: check that rtbeat runs with this address"},
	{"permission denied", "rtbeat.socket_mode says who may connect"},
	{"unreachable", "check the address and the network"},
	{"unknown authority", "give the authority that signed rtbeat's certificate with --ca"},
	{"certificate has expired", "renew rtbeat.ssl.certificate"},
	{"x509: ", "the certificate is not for this name: name another with the URL"},
	{"remote error: tls: ", "rtbeat wants a client certificate that one of its rtbeat.ssl.certificate_authorities signed: see --certificate and --key"},
	{"tls handshake", "the program there speaks no TLS: check that it is rtbeat, and restart it if rtbeat.ssl was changed"},
	{"https client", "the program there speaks no TLS: check that it is rtbeat, and restart it if rtbeat.ssl was changed"},
	{"timeout", "no answer within --timeout: check for a firewall, and whether rtbeat.max_connections are open"},
	{"malformed", "the program there speaks no HTTP, or TLS only: check that it is rtbeat, and restart it if rtbeat.ssl was changed"},
	{"", "closed without an answer: check that the program there is rtbeat. With rtbeat.proxy_protocol, give the proxy's address"},
}

// Post posts a body. prepare adds headers.
func (c *Client) Post(ctx context.Context, contentType string, body []byte, prepare func(*http.Request)) (a Answer) {
	text, err := c.post(ctx, contentType, body, prepare, &a)
	code, after := a.Code, a.After
	if err != nil {
		said := strings.ToLower(err.Error())
		i := slices.IndexFunc(problems, func(problem [2]string) bool { return strings.Contains(said, problem[0]) })
		return Answer{Reason: "no answer", Message: strings.TrimPrefix(problems[i][0]+": "+problems[i][1], ": ")}
	} else if json.Unmarshal(text, &a) != nil || (code == http.StatusOK) != (a.Ack != "") || a.Ack+a.Reason == "" {
		a = Answer{Reason: "is no answer of rtbeat", Message: "another program listens there, a proxy answers, or it wants https"}
	}
	quote := func(text string) string { return strings.Trim(strconv.QuoteToGraphic(text[:min(len(text), 500)]), `"`) }
	a.Code, a.After, a.Reason, a.Message = code, after, quote(a.Reason), quote(a.Message)
	return a
}

func (c *Client) post(ctx context.Context, contentType string, body []byte, prepare func(*http.Request), a *Answer) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	prepare(req)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	a.Code, a.After = resp.StatusCode, time.Duration(min(max(seconds, 0), 300))*time.Second
	return io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
}
