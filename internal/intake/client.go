package intake

import (
	"net"
	"net/http"
	"strings"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// clientIP is the address of the sender, by the forwarding headers of trusted proxies. It is empty for a request over a Unix socket
// without such a header.
func (h *handler) clientIP(req *http.Request) string {
	local, ok := req.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return h.Trusted.Of(req.RemoteAddr, ok && local.Network() == "unix", req.Header)
}

// chargeOrigin returns where the batch comes from, and reserves memory for it: each event carries the headers, the trace, and the
// fields that its form adds.
func (p *post) chargeOrigin(messages []batch.Message) (inflight.Origin, error) {
	origin := inflight.Origin{
		Received: p.received, ClientIP: p.clientIP(p.req), Headers: p.headers(p.req), Trace: traceOf(p.req.Header[traceparent]),
		Source: p.source.Name, Sender: p.signature.Sender(),
	}
	if p.source.IncludePath {
		origin.Path = p.req.URL.Path
	}
	weight := 0
	for name, value := range origin.Headers {
		weight += len(name) + len(value) + headerWeight
	}
	if origin.Trace.ID != "" {
		weight += traceWeight
	}
	total := 0
	for i := range messages {
		added := weight + p.eventForm.Weight(messages[i], origin)
		messages[i].Weight += added
		total += added
	}
	return origin, p.reservation.Grow(int64(total))
}

const (
	// headerWeight is the cost of a header in each event beside its text: an entry of a map.
	headerWeight = 16
	// traceWeight is the cost of a trace in each event: a sixth of two maps of 350 bytes each. Its text is part of the header,
	// which counts with the request.
	traceWeight = 128
)

// headers copies the headers that go into the events. It returns nil when the request has none of them.
func (e *endpoint) headers(req *http.Request) map[string]string {
	var copied map[string]string
	for _, name := range e.headerNames {
		values := req.Header.Values(name)
		if name == "host" { // net/http takes it out of the headers
			values = []string{req.Host}
		}
		if len(values) == 0 {
			continue
		}
		if copied == nil {
			copied = make(map[string]string, len(e.headerNames))
		}
		copied[name] = strings.ToValidUTF8(strings.Join(values, ", "), "\uFFFD") // RFC 9110, 5.3
	}
	return copied
}
