package intake

import (
	"strings"

	"golang.org/x/time/rate"

	"github.com/txn2/rtbeat/internal/metrics"
)

// Why a TLS handshake failed. net/http reports it as a line of text alone, which holds text of the sender. So it becomes one of these.
const (
	handshakeClosed         = "closed"           // the connection ended
	handshakeTimeout        = "timeout"          // it took longer than read_timeout
	handshakeNotTLS         = "not_tls"          // plain HTTP, or anything else
	handshakeNoCertificate  = "no_certificate"   // the sender has none, and one is required
	handshakeBadCertificate = "bad_certificate"  // the sender's certificate is not trusted
	handshakeRejected       = "rejected_by_peer" // the sender does not trust the certificate of this server
	handshakeProtocol       = "protocol"         // no version, cipher suite or protocol in common, or broken records
	handshakeOther          = "other"
)

// handshakeReasons are the label values of rtbeat_tls_handshake_failures_total.
var handshakeReasons = []string{
	handshakeClosed, handshakeTimeout, handshakeNotTLS, handshakeNoCertificate, handshakeBadCertificate, handshakeRejected,
	handshakeProtocol, handshakeOther,
}

// handshakeErrors maps the errors of crypto/tls and net/http to reasons, in this order. It compares the beginning of an error,
// because a sender can choose the rest. For errors of the network it compares the end as well, which no sender can choose.
var handshakeErrors = []struct{ begins, ends, reason string }{
	{"EOF", "", handshakeClosed},
	{"unexpected EOF", "", handshakeClosed}, // within a record
	{"client sent an HTTP request to an HTTPS server", "", handshakeNotTLS},
	{"tls: first record does not look like a TLS handshake", "", handshakeNotTLS},
	{"tls: client didn't provide a certificate", "", handshakeNoCertificate},
	{"tls: failed to verify certificate", "", handshakeBadCertificate},
	{"tls: failed to parse client certificate", "", handshakeBadCertificate},
	{"tls: client's certificate", "", handshakeBadCertificate},
	{"tls: client certificate", "", handshakeBadCertificate},
	{"x509: ", "", handshakeBadCertificate},
	{"remote error: tls: ", "certificate", handshakeRejected}, // bad, unknown, expired, revoked, unsupported
	{"remote error: tls: ", "certificate authority", handshakeRejected},
	{"remote error: tls: ", "", handshakeProtocol},
	// In TLS 1.3, OpenSSL (curl, Python) sends its alert about the certificate in clear text, and crypto/tls tries to decrypt
	// it. No other known sender causes this error.
	{"local error: tls: bad record MAC", "", handshakeRejected},
	{"local error: tls: ", "", handshakeProtocol},
	{"tls: ", "", handshakeProtocol},
	{"read ", "i/o timeout", handshakeTimeout},
	{"write ", "i/o timeout", handshakeTimeout},
	{"", "context deadline exceeded", handshakeTimeout},
	{"read ", "", handshakeClosed}, // reset
	{"write ", "", handshakeClosed},
}

// handshakeFailure tells whether a line of net/http's error log is about a handshake, and why it failed. The reason is one
// of handshakeReasons and holds nothing of the line.
func handshakeFailure(line string) (reason string, failed bool) {
	rest, failed := strings.CutPrefix(line, "http: TLS handshake error from ")
	if !failed {
		return "", false
	}
	_, text, _ := strings.Cut(strings.TrimSpace(rest), ": ") // an address has no space
	for _, e := range handshakeErrors {
		if strings.HasPrefix(text, e.begins) && strings.HasSuffix(text, e.ends) {
			return e.reason, true
		}
	}
	return handshakeOther, true
}

// bogusGreeting begins net/http's line about a request that is not HTTP/2 although the handshake agreed on HTTP/2. The rest of the
// line quotes the request, at least its path.
const bogusGreeting = "bogus greeting"

// maxErrorLine is how many bytes of an error are logged: the names in a certificate come from the sender, without a limit.
const maxErrorLine = 300

// errorLog writes the errors of net/http to rtbeat's logger. A failed handshake is a warning: its sender sees little more than a
// closed connection. A connection that ended is no warning: load balancers and port scans connect and close, or reset.
type errorLog struct {
	log      Logger
	failures metrics.CounterBy // of handshakes
	once     rate.Sometimes
}

func (l *errorLog) Write(line []byte) (int, error) {
	n := len(line)
	text := strings.ToValidUTF8(string(line[:min(n, maxErrorLine)]), "\uFFFD")
	if before, _, quotes := strings.Cut(text, bogusGreeting); quotes {
		text = before + bogusGreeting
	}
	report, fields := l.log.Debugw, []any{"error.message", strings.TrimSpace(text)}
	if reason, failed := handshakeFailure(text); failed {
		l.failures.Inc(reason)
		fields = append(fields, "reason", reason)
		if reason != handshakeClosed {
			l.once.Do(func() { report = l.log.Warnw })
		}
	}
	report("http server", fields...)
	return n, nil
}
