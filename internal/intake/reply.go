package intake

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/txn2/rtbeat/internal/contentcoding"
)

const (
	// writeTimeout bounds the writing of an answer to a sender that does not read.
	writeTimeout = 10 * time.Second
	// lingerTimeout bounds how long a connection that is to be closed stays open for the rest of its request.
	lingerTimeout = time.Second
	// A refused sender is asked to come back after retryAfterMin to retryAfterMax seconds, at random, so that those
	// refused together do not come back together.
	retryAfterMin = 1
	retryAfterMax = 5
	// logInterval is how often each outcome is logged at most; the line says how many were left out.
	logInterval = time.Second
)

// result is how a request ended, and what is to be told of it.
type result struct {
	outcome outcome
	say     string // to the sender, behind the outcome's phrase; never holds bytes of the request
	err     error  // to the log alone
	detail  detail

	challenge []string // WWW-Authenticate
}

// detail is the part of an answer that differs from request to request. It holds numbers and fixed phrases, and
// nothing of the body.
type detail struct {
	Ack       Ack     `json:"ack,omitempty"`
	Messages  *int    `json:"messages,omitempty"`
	Coalesced *int    `json:"coalesced,omitempty"`
	Filtered  *int    `json:"filtered,omitempty"`
	Acked     *int    `json:"acked,omitempty"`
	Offset    *int64  `json:"offset,omitempty"`
	Index     *int    `json:"index,omitempty"`
	Age       float64 `json:"age_seconds,omitempty"` // of a stall
}

// seconds is a duration as answers say it, to a tenth.
func seconds(d time.Duration) float64 { return d.Truncate(100 * time.Millisecond).Seconds() }

// answer is the JSON object of every answer.
type answer struct {
	Status  string `json:"status"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	detail
}

// replier writes every answer, counts it and logs it.
type replier struct {
	log     Logger
	metrics Metrics
	client  func(*http.Request) string // its address
	closing func() bool                // whether each answer is to be the last of its connection
	logged  [len(outcomes)]struct {
		now        rate.Sometimes
		suppressed atomic.Int64
	}
}

func newReplier(log Logger, h *handler) *replier {
	r := &replier{log: log, metrics: h.metrics, client: h.clientIP, closing: h.draining}
	for i := range r.logged {
		r.logged[i].now.Interval = logInterval
		if !outcome(i).health() {
			r.metrics.Expect(outcomes[i].status, outcomes[i].reason)
		}
	}
	return r
}

// reply ends a request. It is the only place that writes a status.
func (r *replier) reply(w http.ResponseWriter, req *http.Request, res result) {
	o := outcomes[res.outcome]
	id := requestID(req)
	if !res.outcome.health() {
		r.metrics.Answer(o.status, o.reason)
		r.logResult(req, id, res)
	}
	if res.outcome == clientGone {
		panic(http.ErrAbortHandler) // closes the connection without an answer, and without a stack in the log
	}

	body := answer{Status: o.word, Message: o.phrase, detail: res.detail}
	if res.say != "" {
		body.Message += ": " + res.say
	}
	if o.word != ok {
		body.Reason = o.reason
	}
	encoded, err := json.Marshal(body)
	if err != nil { // it holds strings and numbers only
		r.log.Errorw("encoding an answer failed", "error", err)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Request-ID", id)
	header.Set("Content-Length", strconv.Itoa(len(encoded)+1))
	if o.retry {
		header.Set("Retry-After", strconv.Itoa(retryAfterMin+rand.IntN(retryAfterMax-retryAfterMin+1))) //nolint:gosec // jitter, no secret
	}
	last := o.close || r.closing()
	if last {
		header.Set("Connection", "close")
	}
	advise(header, res)
	control := http.NewResponseController(w) // a test's recorder knows no deadlines
	_ = control.SetWriteDeadline(time.Now().Add(writeTimeout))
	if last { // net/http reads up to 256 KiB of what is left of the body before it closes, else the sender may lose the answer
		_ = control.SetReadDeadline(time.Now().Add(lingerTimeout))
	}
	w.WriteHeader(o.status)
	_, _ = w.Write(append(encoded, '\n')) // the sender left, or does not read: there is nobody to tell
}

// advise tells a sender in a header what it got wrong.
func advise(header http.Header, res result) {
	switch res.outcome { //nolint:exhaustive // the others have no such header
	case unsupportedType: // RFC 9110, 15.5.16
		header.Set("Accept", acceptedTypes)
	case unsupportedEncoding: // and only then: RFC 9110, 12.5.3
		header.Set("Accept-Encoding", contentcoding.Accepted)
	case unauthorized: // RFC 9110, 11.6.1
		header["Www-Authenticate"] = res.challenge
	}
}

// logResult writes a line for an outcome that somebody should look at, each outcome once in logInterval.
func (r *replier) logResult(req *http.Request, id string, res result) {
	o := outcomes[res.outcome]
	if o.level == quiet {
		r.log.Debugw("request ended", r.fields(req, id, res)...)
		return
	}
	gate := &r.logged[res.outcome]
	said := false
	gate.now.Do(func() {
		said = true
		args := append(r.fields(req, id, res), "suppressed", gate.suppressed.Swap(0))
		if o.level == failure {
			r.log.Errorw("request failed: "+o.phrase, args...)
		} else {
			r.log.Warnw("request refused: "+o.phrase, args...)
		}
	})
	if !said {
		gate.suppressed.Add(1)
	}
}

// fields are the key-value pairs of a log line. The path and the headers are the sender's words and stay out, but for a
// request id, of which no more is taken than fits into a line.
func (r *replier) fields(req *http.Request, id string, res result) []any {
	o := outcomes[res.outcome]
	args := []any{"reason", o.reason, "http.response.status_code", o.status, "client.address", r.client(req), "http.request.id", id}
	if res.err != nil {
		args = append(args, "error.message", res.err.Error())
	}
	if res.detail.Messages != nil {
		args = append(args, "messages", *res.detail.Messages)
	}
	return args
}
