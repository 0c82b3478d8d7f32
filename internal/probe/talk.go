package probe

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// empty is a batch of no messages: it is answered 200 at once, and nothing is published.
const empty = `{"messages":[]}`

// maxAnswer is how much of an answer is read, its headers included. Those of rtbeat are a few lines.
const maxAnswer = 16 << 10

// Credential is one way of saying who sends.
type Credential struct {
	Name    string // for the report, such as "rtbeat.auth.bearer"
	Present func(header http.Header, body string)
}

// Bearer presents a token.
func Bearer(token string) Credential {
	return Credential{"rtbeat.auth.bearer", func(header http.Header, _ string) { header.Set("Authorization", "Bearer "+token) }}
}

// Basic presents a user and a password.
func Basic(username, password string) Credential {
	return Credential{"rtbeat.auth.basic", func(header http.Header, _ string) {
		req := http.Request{Header: header}
		req.SetBasicAuth(username, password)
	}}
}

// Signature signs the body, with the time where timestampHeader is the name of a header.
func Signature(key, signatureHeader, prefix, timestampHeader string) Credential {
	return Credential{"rtbeat.auth.hmac", func(header http.Header, body string) {
		if timestampHeader != "" {
			now := strconv.FormatInt(time.Now().Unix(), 10)
			header.Set(timestampHeader, now)
			body = now + "." + body
		}
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(body))
		header.Set(signatureHeader, prefix+hex.EncodeToString(mac.Sum(nil)))
	}}
}

// talk posts an empty batch over a connection of its own.
func (t *Target) talk(ctx context.Context, credential *Credential) error {
	conn, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // there is nobody to tell
	if t.TLS != nil {
		secure, err := t.handshake(ctx, conn)
		if err != nil && (!t.TLS.LenientName || !errors.Is(err, errNoName)) {
			return err
		}
		conn = secure
	}
	req, err := t.request(ctx, credential)
	if err != nil {
		return err
	}
	if err := req.Write(conn); err != nil {
		return t.explainTalk(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxAnswer)), req)
	if err != nil {
		return t.explainTalk(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return t.explainTalk(err)
	}
	return judge(resp.StatusCode, body, credential)
}

func (t *Target) request(ctx context.Context, credential *Credential) (*http.Request, error) {
	at := *t.URL
	if t.isSocket() {
		at.Scheme, at.Host, at.Path = "http", "localhost", "/in"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), strings.NewReader(empty))
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Close = true
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "rtbeat-test-intake")
	if credential != nil {
		credential.Present(req.Header, empty)
	}
	return req, nil
}

func (t *Target) explainTalk(err error) error {
	switch {
	case t.TLS != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return t.explainTLS(err)
	case os.IsTimeout(err):
		return fmt.Errorf("%w. There was no answer in time (--timeout)", err)
	case strings.HasPrefix(err.Error(), "malformed HTTP"), errors.As(err, new(textproto.ProtocolError)): // its text quotes what came
		return errors.New("what listens there speaks no HTTP, or TLS only: is it rtbeat, and has it been restarted since rtbeat.ssl was changed?")
	default:
		return fmt.Errorf("%w. The connection was closed without an answer: is it rtbeat? With rtbeat.proxy_protocol, the trusted proxies have to announce each connection", err)
	}
}

// printable leaves out what could move the cursor or write a line of its own: whoever answers may not be rtbeat.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}

// judge says what an answer means, and what to do about it.
func judge(status int, body []byte, credential *Credential) error {
	var answer struct{ Status, Reason, Message, Ack string }
	err := json.Unmarshal(body, &answer)
	if err != nil || status == http.StatusOK && (answer.Status != "OK" || answer.Ack == "") || status != http.StatusOK && answer.Reason == "" {
		return fmt.Errorf("%d, and not in the words of rtbeat: what listens there is something else, or a proxy in between answers", status)
	}
	said := fmt.Sprintf("%d %s: %s", status, printable(answer.Reason), printable(answer.Message))
	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusUnauthorized && credential == nil:
		return fmt.Errorf("%s. The configuration has no credentials (rtbeat.auth), and the rtbeat that runs there wants some: has it another configuration?", said)
	case status == http.StatusUnauthorized:
		return fmt.Errorf("%s. The rtbeat that runs there does not take %s of this configuration: has it been restarted since that was changed?", said, credential.Name)
	case status == http.StatusForbidden:
		return fmt.Errorf("%s. Give another client certificate with --certificate and --key, or add its name", said)
	case status == http.StatusNotFound:
		return fmt.Errorf("%s. Is this the admin listener (rtbeat.admin.port), or does the URL have another path?", said)
	default:
		return errors.New(said)
	}
}
