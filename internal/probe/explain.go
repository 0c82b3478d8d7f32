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

// explain adds to an error what to do about it. It returns nil for nil.
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
		advice = "The name is not known here: correct it, or give an address with --url"
	case errors.Is(err, syscall.ECONNREFUSED):
		advice = "Nobody listens there: is rtbeat running, with this configuration?"
	case errors.Is(err, os.ErrNotExist):
		advice = "There is no such socket: is rtbeat running, with this configuration?"
	case errors.Is(err, os.ErrPermission):
		advice = "rtbeat.socket_mode says who may connect: run this as its owner, or as one of its group"
	case errors.Is(err, context.DeadlineExceeded): // of the dialer; later steps hit the deadline of the connection
		return fmt.Errorf("no connection to %s in time (--timeout): is a firewall in between, or are all connections taken (rtbeat.max_connections)?", t.URL.Redacted())
	case os.IsTimeout(err):
		advice = "There was no answer in time (--timeout)"
	case errors.As(err, &unknown):
		advice = fmt.Sprintf("It was signed by %q, which is neither an authority of this machine nor in rtbeat.ssl.certificate_authorities: give that authority's certificate with --ca, as senders have to", unknown.Cert.Issuer)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		advice = "Renew rtbeat.ssl.certificate"
	case errors.As(err, new(tls.RecordHeaderError)):
		advice = "What listens there speaks no TLS: is it rtbeat, and has it been restarted since rtbeat.ssl was set?"
	case isRefused && t.TLS != nil && t.TLS.GetClientCertificate == nil:
		advice = "rtbeat asks for a client certificate (rtbeat.ssl.client_authentication): give one with --certificate and --key"
	case isRefused:
		advice = "rtbeat does not take this client certificate: it has to be signed by one of rtbeat.ssl.certificate_authorities, and be in time"
	case strings.HasPrefix(err.Error(), "malformed HTTP"), errors.As(err, new(textproto.ProtocolError)): // both quote what arrived
		return errors.New("what listens there speaks no HTTP, or TLS only: is it rtbeat, and has it been restarted since rtbeat.ssl was changed?")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		advice = "The connection was closed without an answer: is it rtbeat? With rtbeat.proxy_protocol, the trusted proxies have to announce each connection"
	default:
		return err
	}
	return fmt.Errorf("%w. %s", err, advice)
}

// judge says what an answer means, and what to do about it.
func judge(status int, body []byte, credential string) error {
	var answer struct{ Status, Reason, Message, Ack string }
	err := json.Unmarshal(body, &answer)
	if err != nil || status == http.StatusOK && (answer.Status != "OK" || answer.Ack == "") || status != http.StatusOK && answer.Reason == "" {
		return fmt.Errorf("%d, and not in the words of rtbeat: what listens there is something else, or a proxy in between answers", status)
	}
	advice := ""
	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusUnauthorized && credential == "":
		advice = ". The configuration has no credentials (rtbeat.auth), and the rtbeat that runs there wants some: has it another configuration?"
	case status == http.StatusUnauthorized:
		advice = ". The rtbeat that runs there does not take " + credential + " of this configuration: has it been restarted since that was changed?"
	case status == http.StatusForbidden:
		advice = ". Give another client certificate with --certificate and --key, or add its name"
	case status == http.StatusNotFound:
		advice = ". Is this the admin listener (rtbeat.admin.port), or does the URL have another path?"
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
