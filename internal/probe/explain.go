package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"syscall"
	"unicode"
)

// explain adds the action to take to an error. It returns nil for nil.
func (t *Target) explain(err error) error {
	var op *net.OpError
	// crypto/tls reports the alert of the peer as a remote error, such as "certificate required".
	isRefused := errors.As(err, &op) && op.Op == "remote error" && strings.Contains(op.Err.Error(), "certificate")
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError

	var advice string
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*net.DNSError)):
		advice = "This machine does not know the name: correct it, or give an address with --url"
	case errors.Is(err, syscall.ECONNREFUSED):
		advice = "Nothing listens there: check that rtbeat runs with this configuration"
	case errors.Is(err, os.ErrNotExist):
		advice = "There is no such socket: check that rtbeat runs with this configuration"
	case errors.Is(err, os.ErrPermission):
		advice = "rtbeat.socket_mode says who may connect: run this command as its owner, or as a member of its group"
	case errors.Is(err, context.DeadlineExceeded): // of the dialer; later steps hit the deadline of the connection
		return fmt.Errorf("no connection to %s within --timeout: check for a firewall, and whether rtbeat.max_connections are open", t.URL.Redacted())
	case os.IsTimeout(err):
		advice = "There was no answer within --timeout"
	case errors.As(err, &unknown):
		advice = fmt.Sprintf("It was signed by %q, which is neither an authority of this machine nor in rtbeat.ssl.certificate_authorities: give the certificate of that authority with --ca, as senders do", unknown.Cert.Issuer)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		advice = "Renew rtbeat.ssl.certificate"
	case errors.As(err, new(tls.RecordHeaderError)):
		advice = "The program there speaks no TLS: check that it is rtbeat, and restart it if rtbeat.ssl was changed"
	case isRefused && t.TLS != nil && t.TLS.GetClientCertificate == nil:
		advice = "rtbeat asks for a client certificate (rtbeat.ssl.client_authentication): give one with --certificate and --key"
	case isRefused:
		advice = "rtbeat refuses this client certificate: use a valid one that one of rtbeat.ssl.certificate_authorities has signed"
	case strings.HasPrefix(err.Error(), "malformed HTTP"), errors.As(err, new(textproto.ProtocolError)): // both quote the answer
		return errors.New("the program there speaks no HTTP, or TLS only: check that it is rtbeat, and restart it if rtbeat.ssl was changed")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		advice = "The connection was closed without an answer: check that the program there is rtbeat. With rtbeat.proxy_protocol, trusted proxies must announce each connection"
	default:
		return err
	}
	return fmt.Errorf("%w. %s", err, advice)
}

// checkAnswer returns an error for an answer that is not a 200 of rtbeat, with the action to take.
func checkAnswer(status int, body []byte, credential string) error {
	var answer struct{ Status, Reason, Message, Ack string }
	err := json.Unmarshal(body, &answer)
	if err != nil || status == http.StatusOK && (answer.Status != "OK" || answer.Ack == "") || status != http.StatusOK && answer.Reason == "" {
		return fmt.Errorf("%d, and not an answer of rtbeat: another program listens there, or a proxy answers", status)
	}
	advice := ""
	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusUnauthorized && credential == "":
		advice = ". The configuration has no credentials (rtbeat.auth), and the running rtbeat asks for some: check that it has this configuration"
	case status == http.StatusUnauthorized:
		advice = ". The running rtbeat refuses " + credential + " of this configuration: reload or restart rtbeat if that was changed"
	case status == http.StatusForbidden:
		advice = ". Give another client certificate with --certificate and --key, or add its name"
	case status == http.StatusNotFound:
		advice = ". The URL may be the admin listener's (rtbeat.admin.port), or have another path"
	}
	return fmt.Errorf("%d %s: %s%s", status, printable(answer.Reason), printable(answer.Message), advice)
}

// printable drops control characters: the peer may not be rtbeat, and the text goes to a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}
