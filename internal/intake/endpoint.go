package intake

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/preset"
	"github.com/txn2/rtbeat/internal/source"
)

// Source is a path that takes requests, with the form of its events and the credentials that it wants.
type Source struct {
	source.Source
	Form          *event.Form         // nil is the default form
	Authenticator *auth.Authenticator // nil accepts every request
}

// endpoint serves the requests of one source. The limits are those of all sources.
type endpoint struct {
	*handler
	source        source.Source // the zero value for requests that reach no source
	counters      *sourceCounters
	preset        *preset.Preset // nil without one
	eventForm     *event.Form
	limits        batch.Options                      // of a body
	idHeaders     []string                           // that may hold the id of a request, in order
	headerNames   []string                           // of the headers that go into the events, in lower case
	types         []string                           // that the source takes beside JSON and NDJSON, in lower case
	authenticator atomic.Pointer[auth.Authenticator] // nil accepts every request

	logged [len(outcomes)]struct {
		now        rate.Sometimes
		suppressed atomic.Int64
	}
	lastProblem atomic.Pointer[Problem]
}

// Problem is an answer that was no success.
type Problem struct {
	Reason string
	At     time.Time
}

func (h *handler) newEndpoint(s Source) *endpoint {
	e := &endpoint{
		handler: h, source: s.Source, counters: h.counters.of(s.Name), headerNames: s.Headers(), idHeaders: s.ID.Headers(),
		limits: batch.Options{
			KeepInvalid: s.OnInvalid == source.InvalidEvent, MaxMessages: h.MaxMessages, MaxDepth: h.MaxDepth, MaxKeyBytes: int(h.MaxKey),
			Identity: batch.Identity{
				Scope: s.Scope(), Fields: s.ID.Fields, Content: s.ID.Content, Off: !h.Dedupe && !h.Registry.NeedsKeys(),
			},
		},
	}
	for _, media := range s.ContentTypes {
		e.types = append(e.types, strings.ToLower(media))
	}
	if e.eventForm = s.Form; e.eventForm == nil {
		e.eventForm = event.NewForm(event.DefaultSettings())
	}
	if p, known := preset.Find(s.Preset); known {
		e.preset = p
	}
	e.authenticator.Store(s.Authenticator)
	for i := range e.logged {
		e.logged[i].now.Interval = logInterval
	}
	return e
}

// answer serves a request, and counts it while it is open.
func (e *endpoint) answer(w http.ResponseWriter, req *http.Request) result {
	if req.Method == http.MethodOptions { // CORS has answered preflight requests
		return result{outcome: methodNotAllowed}
	}
	e.counters.requests.Inc()
	defer e.counters.requests.Dec()
	p := &post{endpoint: e, w: w, req: req, received: time.Now().UTC()}
	res := e.resultOf(p.serve())
	if res.detail.Messages != nil {
		res.detail.Invalid = p.invalid
	}
	return res
}

// methods are the methods that the source takes: POST, the one of its preset's challenges, and the one of preflight requests.
func (e *endpoint) methods() []string {
	methods := []string{http.MethodPost}
	if e.preset != nil && e.preset.Method != "" && e.preset.Method != http.MethodPost {
		methods = append(methods, e.preset.Method)
	}
	if len(e.CORS.AllowedOrigins) > 0 {
		methods = append(methods, http.MethodOptions)
	}
	return methods
}

// count counts an answer, and keeps the last problem for the status page.
func (e *endpoint) count(o outcome) {
	e.counters.answers[o].Inc()
	if outcomes[o].word != ok && o != clientGone {
		e.lastProblem.Store(&Problem{outcomes[o].reason, time.Now()})
	}
}

// maxGiven is the longest id of a request that is kept as it is, in bytes. UUIDs have 36.
const maxGiven = 128

// given is the id of a request from its headers, or "". It is stored as JSON: a long one, or one that is no UTF-8, becomes a hash.
func (e *endpoint) given(header http.Header) string {
	for _, name := range e.idHeaders {
		id := strings.Join(header[name], ", ")
		switch {
		case id == "":
		case len(id) <= maxGiven && utf8.ValidString(id):
			return id
		default:
			sum := sha256.Sum256([]byte(id))
			return hex.EncodeToString(sum[:])
		}
	}
	return ""
}
