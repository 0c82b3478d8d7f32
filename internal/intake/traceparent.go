package intake

import (
	"net/http"
	"strings"

	"github.com/txn2/rtbeat/internal/inflight"
)

// traceparent is the name of the header, as net/http writes it.
const traceparent = "Traceparent"

// A traceparent of version 00: version, trace id, parent id and flags, in lower-case hexadecimal with hyphens between
// them (W3C Trace Context, 3.2).
const (
	traceIDStart, traceIDEnd   = 3, 3 + 32
	spanIDStart, spanIDEnd     = 36, 36 + 16
	flagsStart, traceparentLen = 53, 53 + 2
)

// traceOf is the trace of a request, by its traceparent. It is empty without a traceparent, with several, and with one that breaks
// the specification. The specification asks to read an unknown version like version 00, and to ignore the rest of the header.
//
// The ids of version 00 are parts of the header, without an allocation. Ids in a longer header are copied: they live as long as
// the batch is in flight, and the rest of the header is not reserved for that long.
func traceOf(values []string) inflight.Trace {
	if len(values) != 1 {
		return inflight.Trace{}
	}
	h := values[0]
	if len(h) < traceparentLen || h[traceIDStart-1] != '-' || h[traceIDEnd] != '-' || h[spanIDEnd] != '-' {
		return inflight.Trace{}
	}
	version, traceID, spanID := h[:traceIDStart-1], h[traceIDStart:traceIDEnd], h[spanIDStart:spanIDEnd]
	if !lowerHex(version) || version == "ff" || !lowerHex(h[flagsStart:traceparentLen]) || !identifies(traceID) || !identifies(spanID) ||
		len(h) > traceparentLen && (version == "00" || h[traceparentLen] != '-') {
		return inflight.Trace{}
	}
	if len(h) > traceparentLen {
		traceID, spanID = strings.Clone(traceID), strings.Clone(spanID)
	}
	return inflight.Trace{ID: traceID, SpanID: spanID}
}

// appendTrace adds the trace of a request, if it has one, to the fields of a log line.
func appendTrace(fields []any, req *http.Request) []any {
	if trace := traceOf(req.Header[traceparent]); trace.ID != "" {
		fields = append(fields, "trace.id", trace.ID)
	}
	return fields
}

// identifies tells whether text is an id: hexadecimal, and not zero.
func identifies(text string) bool { return lowerHex(text) && strings.Trim(text, "0") != "" }

func lowerHex(text string) bool { return strings.Trim(text, "0123456789abcdef") == "" }
