package publish

import (
	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// eventType is the value of the field type in every event. Logstash pipelines select events by it.
const eventType = "rtbeat"

// maxDocumentID is the longest _id in bytes that Elasticsearch takes; it rejects a document with a longer one.
const maxDocumentID = 512

// newEvent builds the event of one message, which owns the message's fields then.
func (p *Publisher) newEvent(m batch.Message, o inflight.Origin, e *inflight.EventAck) beat.Event {
	event := beat.Event{
		Timestamp: o.Received,
		Fields:    mapstr.M{"type": eventType, "rxtxMsg": mapstr.M(m.Fields)},
		Private:   e,
	}
	if o.ClientIP != "" {
		event.Fields["clientIp"] = o.ClientIP
	}
	if len(o.Headers) > 0 {
		headers := make(mapstr.M, len(o.Headers)) // each event has its own: a processor may change it
		for name, value := range o.Headers {
			headers[name] = value
		}
		event.Fields["headers"] = headers
	}
	if o.Trace.ID != "" { // as ECS has it
		event.Fields["trace"] = mapstr.M{"id": o.Trace.ID}
		event.Fields["span"] = mapstr.M{"id": o.Trace.SpanID}
	}
	if id := p.documentID(m, e); id != "" {
		// The outputs read it from here: @metadata._id for Logstash, the document's _id for Elasticsearch.
		event.Meta = mapstr.M{"_id": id}
	}
	return event
}

// documentID returns the id of the message's document, or "" for none.
func (p *Publisher) documentID(m batch.Message, e *inflight.EventAck) string {
	switch p.settings.DocumentID {
	case inflight.ContentID:
		if key, ok := e.Key(); ok {
			return key.ID()
		}
	case inflight.UUIDID: // unless it is longer than Elasticsearch takes
		if len(m.UUID) <= maxDocumentID {
			return m.UUID
		}
	case inflight.NoID:
	}
	return ""
}
