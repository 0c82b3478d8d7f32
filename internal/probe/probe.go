// Package probe does what a sender does, one step after the other, and says how far it came: it connects to a running
// rtbeat, speaks the PROXY protocol and TLS where they are configured, and posts a batch of no messages with the
// credentials of the configuration. It knows nothing of libbeat, and what it says holds no secret.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
)

// Report is where the steps are told, as libbeat's "test output" tells its own.
type Report interface {
	// OK, Warn and Fail tell how a step ended.
	OK(step string)
	Warn(step, reason string)
	Fail(step string, err error)
}

// Target is what is probed, and how.
type Target struct {
	URL     *url.URL      // http, https or unix; the path of the first two is that of the request
	Timeout time.Duration // for each attempt: connecting, and the answer

	TLS         *TLS // nil for plain HTTP
	Credentials []Credential
	// Announces tells whether a connection has to begin with a PROXY protocol header. nil is never.
	Announces func(local net.Addr) bool
}

// Errors that end the probing have been told already; this is what is left to say to a shell.
var errFailed = errors.New("the intake does not answer as it should")

// Run goes through all steps until one fails. Each is told to report; the error says no more than that one failed.
func (t *Target) Run(ctx context.Context, report Report) error {
	conn, err := t.dial(ctx)
	if err != nil {
		report.Fail("dial up", err)
		return errFailed
	}
	report.OK("dial up")
	err = t.secure(ctx, conn, report)
	_ = conn.Close() // nothing was sent over it
	if err != nil {
		return err
	}
	if len(t.Credentials) == 0 {
		return t.tell(report, "talk to intake", t.talk(ctx, nil))
	}
	for _, credential := range t.Credentials {
		if err := t.tell(report, "talk to intake with "+credential.Name, t.talk(ctx, &credential)); err != nil {
			return err
		}
	}
	return nil
}

func (*Target) tell(report Report, step string, err error) error {
	if err != nil {
		report.Fail(step, err)
		return errFailed
	}
	report.OK(step)
	return nil
}

// isSocket tells whether the target is a Unix socket.
func (t *Target) isSocket() bool { return t.URL.Scheme == "unix" }

// dial connects, and announces nobody where that is wanted, as a load balancer's health check does.
func (t *Target) dial(ctx context.Context) (net.Conn, error) {
	network, address := "tcp", t.URL.Host
	if t.isSocket() {
		network, address = "unix", t.URL.Path
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, explainDial(err, t.URL)
	}
	_ = conn.SetDeadline(time.Now().Add(t.Timeout)) // fails only on a closed connection, which the next use of it tells
	if t.Announces == nil || !t.Announces(conn.LocalAddr()) {
		return conn, nil
	}
	local := proxyproto.Header{Version: 2, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC} //nolint:mnd // the version of the protocol, which has no name
	if _, err := local.WriteTo(conn); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("writing the PROXY protocol header: %w", err)
	}
	return conn, nil
}

func explainDial(err error, at *url.URL) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w. Nobody listens there: is rtbeat running, with this configuration?", err)
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w. There is no such socket: is rtbeat running, with this configuration?", err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w. rtbeat.socket_mode says who may connect: run this as its owner, or as one of its group", err)
	case errors.As(err, &dns):
		return fmt.Errorf("%w. The name is not known here: mend it, or give an address with --url", err)
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return fmt.Errorf("no connection to %s in time (--timeout): is a firewall in between, or does every place have a sender (rtbeat.max_connections)?", at.Redacted())
	default:
		return err
	}
}

// ParseURL reads where to probe: http://host:port, https://host:port, or unix:///path.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("it is no URL. Give http://host:port, https://host:port or unix:///path") // url's error quotes it, and it may hold a password
	}
	switch {
	case u.User != nil:
		return nil, errors.New("it has a user in it. Credentials come from the configuration: leave them out")
	case u.Scheme == "unix" && strings.HasPrefix(u.Path, "/") && u.Host == "":
		return u, nil
	case (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "":
		if u.Port() == "" {
			u.Host = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
		}
		if u.Path == "" || u.Path == "/" {
			u.Path = "/in"
		}
		return u, nil
	default:
		return nil, fmt.Errorf("%s is not one of http://host:port, https://host:port and unix:///path", u.Redacted())
	}
}
