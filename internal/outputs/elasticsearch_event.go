package outputs

import (
	"errors"
	"reflect"

	"github.com/elastic/beats/v7/libbeat/beat"
	docs "github.com/elastic/beats/v7/libbeat/beat/events"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/beats/v7/libbeat/publisher/queue"
	"github.com/elastic/elastic-agent-libs/mapstr"
)

// encoded reads libbeat's encodedEvent (libbeat/outputs/elasticsearch/event_encoder.go). Its fields are private, and
// nothing else says which event Elasticsearch refused. checkEncoder refuses a libbeat with other fields.
type encoded struct{ reflect.Value }

func encodedOf(event *publisher.Event) (e encoded, ok bool) {
	v := reflect.ValueOf(event.EncodedEvent)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return encoded{}, false
	}
	return encoded{v.Elem()}, true
}

// isMarked tells whether Elasticsearch refused the event, and the output means to send it to the dead letter index.
func (e encoded) isMarked() bool { return e.FieldByName("deadLetter").Bool() }

// isSendable tells whether the output can put the event in a request (createEventBulkMeta in client.go).
func (e encoded) isSendable() bool {
	isDelete := e.FieldByName("opType").Int() == int64(docs.OpTypeDelete)
	return e.FieldByName("err").IsNil() && (!isDelete || e.FieldByName("id").Len() > 0)
}

// checkEncoder returns an error when encoded cannot read the output's events.
func checkEncoder(factory queue.EncoderFactory) error {
	unreadable := errors.New("libbeat's mark for events that Elasticsearch refused cannot be read: rtbeat needs another libbeat")
	if factory == nil {
		return unreadable
	}
	entry, _ := factory().EncodeEntry(publisher.Event{Content: beat.Event{Fields: mapstr.M{}}})
	event, _ := entry.(publisher.Event)
	e, ok := encodedOf(&event)
	if !ok {
		return unreadable
	}
	for name, kind := range map[string]reflect.Kind{
		"deadLetter": reflect.Bool, "err": reflect.Interface, "opType": reflect.Int, "id": reflect.String,
	} {
		if field := e.FieldByName(name); !field.IsValid() || field.Kind() != kind {
			return unreadable
		}
	}
	return nil
}

// keepContent keeps Private and Meta of an event. The output encodes an event when it enters the queue, and then removes its
// content.
func keepContent(made queue.EncoderFactory) queue.EncoderFactory {
	if made == nil {
		return nil
	}
	return func() queue.Encoder { return &encoder{made()} }
}

type encoder struct{ inner queue.Encoder }

func (e *encoder) EncodeEntry(entry queue.Entry) (queue.Entry, int) {
	before, _ := entry.(publisher.Event)
	entry, size := e.inner.EncodeEntry(entry)
	after, ok := entry.(publisher.Event)
	if !ok {
		return entry, size
	}
	after.Content.Private, after.Content.Meta = before.Content.Private, before.Content.Meta // the encoded event shares Meta
	return after, size
}
