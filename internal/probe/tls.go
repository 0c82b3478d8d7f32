package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// TLS is what a secure connection is judged by.
type TLS struct {
	Roots *x509.CertPool // the authorities that the server's certificate may come from
	// LenientName is for an address that was made of a host to listen on: senders use another name, so that a
	// certificate for other names is worth a warning only.
	LenientName bool
	Certificate *tls.Certificate // of the client; nil when there is none
}

// config leaves the judgement to verify, which tells the authority from the name.
func (s *TLS) config(host string) *tls.Config {
	c := &tls.Config{
		ServerName: host, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12, //nolint:gosec // verify follows
	}
	if s.Certificate != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return s.Certificate, nil }
	}
	return c
}

var errNoName = errors.New("the certificate has other names")

// verify judges the certificates of the server: by their authority, time and use first, then by name.
func (s *TLS) verify(state tls.ConnectionState, host string) error {
	chain := state.PeerCertificates
	if len(chain) == 0 {
		return errors.New("the server has shown no certificate")
	}
	options := x509.VerifyOptions{Roots: s.Roots, Intermediates: x509.NewCertPool()}
	for _, certificate := range chain[1:] {
		options.Intermediates.AddCert(certificate)
	}
	leaf := chain[0]
	if _, err := leaf.Verify(options); err != nil {
		var invalid x509.CertificateInvalidError
		switch {
		case errors.As(err, new(x509.UnknownAuthorityError)):
			return fmt.Errorf("%w. It was signed by %q, which is neither an authority of this machine nor in rtbeat.ssl.certificate_authorities: give that authority's certificate with --ca, as senders have to", err, leaf.Issuer)
		case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
			return fmt.Errorf("%w. Renew rtbeat.ssl.certificate", err)
		default:
			return fmt.Errorf("verifying the certificate: %w", err)
		}
	}
	if host == "" {
		return nil
	}
	if err := leaf.VerifyHostname(host); err != nil {
		names := append([]string(nil), leaf.DNSNames...)
		for _, ip := range leaf.IPAddresses {
			names = append(names, ip.String())
		}
		return fmt.Errorf("%w: it is for %s, and not for %s. Senders have to use one of its names: test it with --url", errNoName, strings.Join(names, ", "), host)
	}
	return nil
}

// secure tells what a connection is worth. In TLS 1.3 it does not show yet whether the server takes the client's
// certificate: that comes with its first answer.
func (t *Target) secure(ctx context.Context, conn net.Conn, report Report) error {
	const step = "TLS"
	if t.TLS == nil {
		report.Warn(step, "secure connection disabled")
		return nil
	}
	_, err := t.handshake(ctx, conn)
	switch {
	case err == nil:
		report.OK(step)
		return nil
	case t.TLS.LenientName && errors.Is(err, errNoName):
		report.Warn(step, err.Error())
		return nil
	default:
		report.Fail(step, err)
		return errFailed
	}
}

// handshake returns a connection that may be used if the error is errNoName, too.
func (t *Target) handshake(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	host := t.URL.Hostname() // empty for a socket
	secure := tls.Client(conn, t.TLS.config(host))
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, t.explainTLS(err)
	}
	return secure, t.TLS.verify(secure.ConnectionState(), host)
}

// explainTLS adds to an error of a handshake, or of the first read after it, what to do.
func (t *Target) explainTLS(err error) error {
	var noTLS tls.RecordHeaderError
	var alert *net.OpError
	// So crypto/tls calls what the other side says, in words such as "certificate required".
	refused := errors.As(err, &alert) && alert.Op == "remote error" && strings.Contains(alert.Err.Error(), "certificate")
	switch {
	case errors.As(err, &noTLS):
		return fmt.Errorf("%w. What listens there speaks no TLS: is it rtbeat, and has it been restarted since rtbeat.ssl was set?", err)
	case refused && t.TLS.Certificate == nil:
		return fmt.Errorf("%w. rtbeat asks for a client certificate (rtbeat.ssl.client_authentication): give one with --certificate and --key", err)
	case refused:
		return fmt.Errorf("%w. rtbeat does not take this client certificate: it has to be signed by one of rtbeat.ssl.certificate_authorities, and be in time", err)
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return fmt.Errorf("%w. There was no answer in time (--timeout)", err)
	default:
		return err
	}
}
