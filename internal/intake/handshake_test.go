package intake

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const handshakeLine = "http: TLS handshake error from 192.0.2.7:1234: "

func TestHandshakeFailures(t *testing.T) {
	reset := &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", errors.New("connection reset by peer"))}
	slow := &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	for text, want := range map[string]string{
		io.EOF.Error(): handshakeClosed,
		reset.Error():  handshakeClosed,
		"write tcp 127.0.0.1:1->127.0.0.1:2: write: broken pipe": handshakeClosed,
		slow.Error(): handshakeTimeout,
		"write tcp 127.0.0.1:1->127.0.0.1:2: i/o timeout": handshakeTimeout,
		"unexpected EOF":                                                              handshakeClosed,
		"local error: tls: bad record MAC":                                            handshakeRejected,
		"local error: tls: unexpected message":                                        handshakeProtocol,
		"remote error: tls: bad record MAC":                                           handshakeProtocol, // of the sender's TLS: not about the certificate
		"context deadline exceeded":                                                   handshakeTimeout,
		"client sent an HTTP request to an HTTPS server":                              handshakeNotTLS,
		"tls: first record does not look like a TLS handshake":                        handshakeNotTLS,
		"tls: client didn't provide a certificate":                                    handshakeNoCertificate,
		(&tls.CertificateVerificationError{Err: errors.New("x509: unknown")}).Error(): handshakeBadCertificate,
		"tls: failed to parse client certificate: x509: malformed":                    handshakeBadCertificate,
		"remote error: tls: bad certificate":                                          handshakeRejected,
		"remote error: tls: unknown certificate authority":                            handshakeRejected,
		"remote error: tls: expired certificate":                                      handshakeRejected,
		"remote error: tls: protocol version not supported":                           handshakeProtocol,
		"tls: client offered only unsupported versions: [302 301]":                    handshakeProtocol,
		"tls: no cipher suite supported by both client and server":                    handshakeProtocol,
		"the address of the proxy is not in its header":                               handshakeOther,
		"": handshakeOther,
		"tls: failed to verify certificate: x509: certificate is valid for i/o timeout": handshakeBadCertificate, // a name in the certificate of a sender
		"tls: failed to verify certificate: x509: certificate is valid for EOF, not x":  handshakeBadCertificate,
	} {
		reason, failed := handshakeFailure(handshakeLine + text + "\n")
		require.True(t, failed)
		require.Equal(t, want, reason, text)
		require.Contains(t, handshakeReasons, reason)
	}
	for _, address := range []string{"[2001:db8::1]:1234", "@", "", "/run/rtbeat.sock"} {
		reason, _ := handshakeFailure("http: TLS handshake error from " + address + ": EOF\n")
		require.Equal(t, handshakeClosed, reason, address)
	}
	_, failed := handshakeFailure("http: response.WriteHeader on hijacked connection")
	require.False(t, failed)
}

// The reason is in the list for every line of net/http.
func FuzzHandshakeFailure(f *testing.F) {
	f.Add("EOF\n")
	f.Add("tls: failed to verify certificate: x509: a name\n")
	f.Fuzz(func(t *testing.T, text string) {
		reason, failed := handshakeFailure(handshakeLine + text)
		require.True(t, failed)
		require.True(t, slices.Contains(handshakeReasons, reason), reason)
	})
}

// Each line of net/http about a handshake is counted, also lines that the log leaves out.
func TestHandshakeFailuresAreCounted(t *testing.T) {
	r := newRig(t)
	for range 3 {
		fmt.Fprint(r.server.http.ErrorLog.Writer(), handshakeLine+"EOF\n")
	}
	for range 2 {
		fmt.Fprint(r.server.http.ErrorLog.Writer(), handshakeLine+"tls: client didn't provide a certificate\n")
	}
	fmt.Fprint(r.server.http.ErrorLog.Writer(), "http: something else\n")
	require.Equal(t, map[string]int{"handshake closed": 3, "handshake no_certificate": 2}, r.metrics.failedTimes())
	require.Equal(t, 1, strings.Count(r.log.text(), "warn http server"), "the log stays as quiet as it was")
}

// serveTLS lets the rig serve with a certificate that no client trusts.
func (r *rig) serveTLS() string {
	r.t.Helper()
	certificates := httptest.NewTLSServer(nil) // whose certificate serves here
	r.t.Cleanup(certificates.Close)
	r.server.http.TLSConfig = &tls.Config{Certificates: certificates.TLS.Certificates}
	return r.serve()
}

// requireHandshake waits for a failed handshake, and requires that no other reason was counted.
func (r *rig) requireHandshake(reason string, times int) {
	r.t.Helper()
	require.Eventually(r.t, func() bool { return r.metrics.failedTimes()["handshake "+reason] >= times }, patience, time.Millisecond, "%v", r.metrics.failedTimes())
	require.Equal(r.t, map[string]int{"handshake " + reason: times}, r.metrics.failedTimes(), r.log.text())
}

// A sender that does not trust the certificate tells why. crypto/tls does so as TLS 1.3 demands; OpenSSL sends its alert in clear text,
// although the server has changed its keys by then.
func TestASenderThatDistrustsTheCertificate(t *testing.T) {
	t.Parallel()
	const unknownAuthority = "\x15\x03\x03\x00\x02\x02\x30"
	for name, tt := range map[string]struct {
		version uint16
		clear   bool
	}{
		"TLS 1.2":                {tls.VersionTLS12, false},
		"TLS 1.2, in clear text": {tls.VersionTLS12, true},
		"TLS 1.3":                {tls.VersionTLS13, false},
		"TLS 1.3, in clear text": {tls.VersionTLS13, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			conn := dial(t, r.serveTLS()).conn
			client := tls.Client(conn, &tls.Config{
				InsecureSkipVerify: tt.clear, ServerName: "example.com", MinVersion: tt.version, MaxVersion: tt.version,
				VerifyConnection: func(tls.ConnectionState) error {
					_, err := io.WriteString(conn, unknownAuthority)
					require.NoError(t, err)
					require.NoError(t, conn.CloseWrite())
					return errors.New("not trusted")
				},
			})
			require.Error(t, client.HandshakeContext(t.Context()))
			r.requireHandshake(handshakeRejected, 1)
			require.Contains(t, r.log.text(), "warn http server")
			require.Contains(t, r.log.text(), "reason:"+handshakeRejected)
		})
	}
}

// A probe of the TLS port that connects and closes, at once or within a record, by FIN or by RST, writes no warning.
func TestAProbeOfTheTLSPortIsNoWarning(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]string{"nothing sent": "", "half a record sent": "\x16\x03\x01\x02\x00\x01"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			addr := r.serveTLS()
			probe := func(after time.Duration, linger int) {
				w := dial(t, addr)
				w.send(sent)
				<-time.After(after) // so that the server waits for more
				require.NoError(t, w.conn.SetLinger(linger))
				require.NoError(t, w.conn.Close())
			}
			const reset, fin = 0, -1
			for _, after := range []time.Duration{0, short / 5} {
				probe(after, reset)
				probe(after, fin)
			}
			r.requireHandshake(handshakeClosed, 4)
			require.NotContains(t, r.log.text(), "warn")
		})
	}
}

// net/http quotes a sender that agrees on HTTP/2 and speaks HTTP/1.1, with the path.
func TestABogusGreetingIsNotQuoted(t *testing.T) {
	r := newRig(t)
	addr := r.serveTLS()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
	conn, err := dialer.DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	require.Equal(t, "h2", conn.(*tls.Conn).ConnectionState().NegotiatedProtocol)
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	fmt.Fprint(conn, "GET /a-secret-in-the-path HTTP/1.1\r\nHost: a\r\n\r\n")
	_, _ = io.Copy(io.Discard, conn) // until the server has closed it, and said so
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool { return strings.Contains(r.log.text(), bogusGreeting) }, 10*time.Second, time.Millisecond)
	require.NotContains(t, r.log.text(), "secret")
}
