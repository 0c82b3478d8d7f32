package intake

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/source"
)

// Source is a path that takes batches, and the credentials that it wants.
type Source struct {
	source.Source
	Authenticator *auth.Authenticator // nil accepts every request
}

// endpoint serves the requests of one source. The limits are those of all sources.
type endpoint struct {
	*handler
	source        source.Source // the zero value for requests that reach no source
	counters      *sourceCounters
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
	e := &endpoint{handler: h, source: s.Source, counters: h.counters.of(s.Name), headerNames: s.Headers()}
	for _, media := range s.ContentTypes {
		e.types = append(e.types, strings.ToLower(media))
	}
	e.authenticator.Store(s.Authenticator)
	for i := range e.logged {
		e.logged[i].now.Interval = logInterval
	}
	return e
}

// answer serves a request, and counts it while it is open.
func (e *endpoint) answer(w http.ResponseWriter, req *http.Request) result {
	e.counters.requests.Inc()
	defer e.counters.requests.Dec()
	return e.resultOf(e.serve(w, req))
}

// count counts an answer, and keeps the last problem for the status page.
func (e *endpoint) count(o outcome) {
	e.counters.answers[o].Inc()
	if outcomes[o].word != ok && o != clientGone {
		e.lastProblem.Store(&Problem{outcomes[o].reason, time.Now()})
	}
}
