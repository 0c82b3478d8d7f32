package inflight

import (
	"fmt"
	"time"

	"github.com/txn2/rtbeat/internal/dedupe"
	"github.com/txn2/rtbeat/internal/setting"
)

// Settings are how much may be in flight, which messages are deduped, and when the output counts as stalled.
type Settings struct {
	// MaxInFlight limits the bytes of all bodies that are read, queued, or sent and not yet acknowledged, answered or not. Over
	// it, rtbeat answers a request with 503 and Retry-After before it publishes anything of the request, until an eighth is
	// free again. A batch that takes more than all of it is answered 413. `/readyz` is 503 from nine tenths of it until three
	// quarters. Memory is a multiple of it, because decoded messages are larger than their text: see
	// [operations.md](operations.md#memory). With a memory limit of less than 456 MiB the default is lower, and rtbeat logs it at
	// the start.
	//
	// The default holds two bodies of the default of max_body_bytes.
	MaxInFlight setting.ByteSize `config:"max_in_flight_bytes"`

	// StallAfter is how long the output may go without an acknowledgement, with something in flight, until it counts as
	// stalled. `/readyz` is 503 then, and rtbeat answers a batch with messages that are not in flight with 503
	// `output_stalled` at once. A batch of messages in flight may wait. The first acknowledgement ends the stall. `0` switches
	// this off.
	StallAfter time.Duration `config:"stall_after"`

	// Dedupe is for messages that senders send again.
	Dedupe dedupe.Settings `config:"dedupe"`

	// DocumentID is the source of an event's `@metadata._id`, [by which a store keeps one copy](delivery.md#the-id-of-a-document)
	// of a message. `content` is a hash of the message as it was sent. `uuid` is the id in one of `id.fields`: it is safe only if
	// these ids are unique over all senders, and an equal id means an equal message. Otherwise the store loses messages. `none`
	// is no id. A message that nothing [makes known](delivery.md#what-makes-a-message-known) has an id in durable mode only,
	// with `content`. The elasticsearch output of Logstash needs `document_id => "%{[@metadata][_id]}"`.
	DocumentID DocumentID `config:"document_id" show:"text"`
}

// DefaultSettings are the settings of a file without any.
func DefaultSettings() Settings {
	return Settings{MaxInFlight: 32 << 20, StallAfter: 30 * time.Second, Dedupe: dedupe.DefaultSettings(), DocumentID: ContentID}
}

// Check applies the rules of the settings.
func (s *Settings) Check() error {
	if err := setting.CheckSize("rtbeat.max_in_flight_bytes", s.MaxInFlight); err != nil {
		return err
	}
	if err := setting.CheckDuration("rtbeat.stall_after", s.StallAfter, 0); err != nil {
		return err
	}
	return s.Dedupe.Check()
}

// DocumentID is the source of the id of an event's document.
type DocumentID string

// The sources: a hash of the message as it was sent, the id in one of its fields, or none, so that the store makes an id up.
const (
	ContentID DocumentID = "content"
	UUIDID    DocumentID = "uuid"
	NoID      DocumentID = "none"
)

// Unpack reads a value of the configuration; ucfg calls it.
func (d *DocumentID) Unpack(v string) error {
	switch id := DocumentID(v); id {
	case ContentID, UUIDID, NoID:
		*d = id
		return nil
	default:
		return fmt.Errorf("%q is no document id; it must be %s, %s or %s", v, ContentID, UUIDID, NoID)
	}
}
