package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/txn2/rtbeat/internal/contentcoding"
	"github.com/txn2/rtbeat/internal/source"
)

const (
	// writeTimeout bounds the writing of an answer to a sender that does not read.
	writeTimeout = 10 * time.Second
	// lingerTimeout bounds how long a connection that is to be closed stays open for the rest of its request.
	lingerTimeout = time.Second
	// Retry-After is retryAfterMin to retryAfterMax seconds, at random: senders that were refused together retry apart.
	retryAfterMin = 1
	retryAfterMax = 5
	// logInterval is how often each outcome is logged at most. The line has the number of suppressed ones.
	logInterval = time.Second
)

// answerBody is the JSON object of every answer.
type answerBody struct {
	Status  string `json:"status"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	detail
}

// replier writes every answer, counts it and logs it.
type replier struct {
	*handler
	nowhere  *endpoint // of requests that reach no source
	notFound string    // the phrase of a 404; empty for the one of the table
}

func newReplier(h *handler) *replier {
	r := &replier{handler: h, nowhere: h.newEndpoint(Source{})}
	if !slices.ContainsFunc(h.Sources, func(s Source) bool { return s.Path == source.Default(s.Settings).Path }) {
		r.notFound = "there is nothing here. Batches go to the paths of rtbeat.sources"
	}
	return r
}

// reply ends a request. Nothing else writes a status.
func (r *replier) reply(w http.ResponseWriter, req *http.Request, res result) {
	o := outcomes[res.outcome]
	id := requestID(req)
	if !res.outcome.health() {
		res.source.count(res.outcome)
		r.logResult(req, id, res)
	}
	if res.outcome == clientGone {
		panic(http.ErrAbortHandler) // closes the connection without an answer, and without a stack in the log
	}

	encoded := r.encode(res)
	header := w.Header()
	now := time.Now()
	// An old connection ends with a success only: after any other answer, the retry meets the instance that knows the batch.
	last := o.close || r.closes(req) || o.word == ok && r.Connections.IsOld(req.Context(), now)
	writeHead(header, id, res, len(encoded), last)
	control := http.NewResponseController(w) // a test's recorder knows no deadlines
	_ = control.SetWriteDeadline(now.Add(writeTimeout))
	if last || o.word != ok { // net/http reads up to 256 KiB of the rest of the body before it answers or closes
		_ = control.SetReadDeadline(now.Add(lingerTimeout))
	}
	w.WriteHeader(o.status)
	_, _ = w.Write(encoded) // an error means that the sender left, or does not read
}

// closes tells whether the answer to a request closes its connection, whatever the answer is. On HTTP/2 net/http makes a GOAWAY of
// Connection: close.
func (h *handler) closes(req *http.Request) bool {
	// net/http ignores the Transfer-Encoding of an HTTP/1.0 request. It may then read the body as the next request (RFC 9112, 6.1).
	return h.leaving() || !req.ProtoAtLeast(1, 1)
}

// replyTo answers on a connection whose headers did not arrive in time. net/http closes the connection next.
func (r *replier) replyTo(conn net.Conn, o outcome) {
	res := result{outcome: o, source: r.nowhere}
	req := &http.Request{RemoteAddr: conn.RemoteAddr().String(), Header: http.Header{}}
	req = req.WithContext(context.WithValue(context.Background(), http.LocalAddrContextKey, conn.LocalAddr()))
	id := requestID(req)
	r.nowhere.count(o)
	r.logResult(req, id, res)

	encoded := r.encode(res)
	resp := http.Response{
		StatusCode: outcomes[o].status, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(encoded)), ContentLength: int64(len(encoded)),
	}
	writeHead(resp.Header, id, res, len(encoded), true)
	_ = conn.SetWriteDeadline(time.Now().Add(lingerTimeout))
	_ = resp.Write(conn) // an error means that the sender left, or does not read
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // net/http adds an answer of its own where the connection had a request before
	}
}

// encode returns the body of an answer, a line.
func (r *replier) encode(res result) []byte {
	o := outcomes[res.outcome]
	body := answerBody{Status: o.word, Reason: res.outcome.answerReason(), Message: o.phrase, detail: res.detail}
	if res.answer != nil {
		return res.answer
	}
	if res.phrase != "" {
		body.Message = res.phrase
	}
	if res.say != "" {
		body.Message += ": " + res.say
	}
	encoded, err := json.Marshal(body)
	if err != nil { // it holds strings and numbers only
		r.Log.Errorw("encoding an answer failed", "error.message", err.Error())
	}
	return append(encoded, '\n')
}

// writeHead writes the headers of an answer.
func writeHead(header http.Header, id string, res result, length int, last bool) {
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Request-ID", id)
	header.Set("Content-Length", strconv.Itoa(length))
	if outcomes[res.outcome].retry {
		header.Set("Retry-After", strconv.Itoa(retryAfterMin+rand.IntN(retryAfterMax-retryAfterMin+1))) //nolint:gosec // jitter, no secret
	}
	if last {
		header.Set("Connection", "close")
	}
	advise(header, res)
}

// advise adds the header with the types, codings or credentials that rtbeat accepts.
func advise(header http.Header, res result) {
	switch res.outcome { //nolint:exhaustive // the others have no such header
	case unsupportedType: // RFC 9110, 15.5.16
		header.Set("Accept", strings.Join(append([]string{acceptedTypes}, res.source.types...), ", "))
	case unsupportedEncoding: // and only then: RFC 9110, 12.5.3
		header.Set("Accept-Encoding", contentcoding.Accepted)
	case methodNotAllowed: // RFC 9110, 15.5.6; a path without a source has set its own
		if header.Get("Allow") == "" {
			header.Set("Allow", strings.Join(res.source.methods(), ", "))
		}
	case unauthorized: // RFC 9110, 11.6.1
		header["Www-Authenticate"] = res.challenge
	}
}

// logResult writes a line for an outcome of level warn or failure, each outcome of a source once in logInterval.
func (r *replier) logResult(req *http.Request, id string, res result) {
	o := outcomes[res.outcome]
	if o.level == quiet {
		if r.Log.IsDebug() { // spares making the fields
			r.Log.Debugw("request ended", r.fields(req, id, res)...)
		}
		return
	}
	limiter := &res.source.logged[res.outcome]
	said := false
	limiter.now.Do(func() {
		said = true
		args := append(r.fields(req, id, res), "suppressed", limiter.suppressed.Swap(0))
		if o.level == failure {
			r.Log.Errorw("request failed: "+o.phrase, args...)
		} else {
			r.Log.Warnw("request refused: "+o.phrase, args...)
		}
	})
	if !said {
		limiter.suppressed.Add(1)
	}
}

// fields are the key-value pairs of a log line. The path and the headers come from the sender and stay out, except a request id
// and a trace id, which have harmless characters, and the content type of a 415, which is cut and escaped.
func (r *replier) fields(req *http.Request, id string, res result) []any {
	o := outcomes[res.outcome]
	args := []any{"reason", o.reason, "http.response.status_code", o.status, "client.address", r.clientIP(req), "http.request.id", id}
	if name := res.source.source.Name; name != "" {
		args = append(args, "source", name)
	}
	args = appendTrace(args, req)
	if res.err != nil {
		args = append(args, "error.message", res.err.Error())
	}
	if !res.began.IsZero() {
		args = append(args, "event.duration", time.Since(res.began).Nanoseconds())
	}
	if res.detail.Messages != nil {
		args = append(args, "messages", *res.detail.Messages)
	}
	return args
}
