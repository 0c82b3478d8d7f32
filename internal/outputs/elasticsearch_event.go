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

// encoded is libbeat's encodedEvent (libbeat/outputs/elasticsearch/event_encoder.go), whose fields are not exported.
type encoded struct{ reflect.Value }

func encodedOf(event *publisher.Event) (e encoded, ok bool) {
	v := reflect.ValueOf(event.EncodedEvent)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return encoded{}, false
	}
	return encoded{v.Elem()}, true
}

// isMarked tells whether the store refused the event, and the output means to send it to the dead letter index.
func (e encoded) isMarked() bool { return e.FieldByName("deadLetter").Bool() }

// isSendable tells whether the output can put the event in a request (createEventBulkMeta in client.go).
func (e encoded) isSendable() bool {
	isDelete := e.FieldByName("opType").Int() == int64(docs.OpTypeDelete)
	return e.FieldByName("err").IsNil() && (!isDelete || e.FieldByName("id").Len() > 0)
}

// checkEncoder returns an error when encoded cannot read the output's events.
func checkEncoder(factory queue.EncoderFactory) error {
	outOfReach := errors.New("libbeat's mark for events that Elasticsearch refused is out of reach")
	if factory == nil {
		return outOfReach
	}
	entry, _ := factory().EncodeEntry(publisher.Event{Content: beat.Event{Fields: mapstr.M{}}})
	event, _ := entry.(publisher.Event)
	e, ok := encodedOf(&event)
	if !ok {
		return outOfReach
	}
	for name, kind := range map[string]reflect.Kind{
		"deadLetter": reflect.Bool, "err": reflect.Interface, "opType": reflect.Int, "id": reflect.String,
	} {
		if field := e.FieldByName(name); !field.IsValid() || field.Kind() != kind {
			return outOfReach
		}
	}
	return nil
}
