package publish

import (
	"cmp"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/inflight"
)

// maxDocumentID is the longest _id in bytes that Elasticsearch takes; it rejects a document with a longer one.
const maxDocumentID = 512

// newEvent builds the event of one message, which owns the message's fields then.
func (p *Publisher) newEvent(form *event.Form, m batch.Message, o inflight.Origin, e *inflight.EventAck) beat.Event {
	at, ok := form.Time(m, o.Received)
	if !ok {
		p.counters.timestampFailures.Inc(cmp.Or(o.Source, inflight.DefaultSource))
	}
	made := beat.Event{Timestamp: at, Fields: form.Fields(m, o), Private: e}
	if id := p.documentID(m, e); id != "" {
		// The outputs read it from here: @metadata._id for Logstash, the document's _id for Elasticsearch.
		made.Meta = mapstr.M{"_id": id}
	}
	return made
}

// documentID returns the id of the message's document, or "" for none.
func (p *Publisher) documentID(m batch.Message, e *inflight.EventAck) string {
	switch p.settings.DocumentID {
	case inflight.ContentID:
		if key, ok := e.Key(); ok {
			return key.ID()
		}
	case inflight.UUIDID: // unless it is longer than Elasticsearch takes
		if len(m.ID) <= maxDocumentID {
			return m.ID
		}
	case inflight.NoID:
	}
	return ""
}
