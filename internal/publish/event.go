package publish

import (
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// eventType is the value of the field type in every event; existing Logstash pipelines select by it.
const eventType = "rtbeat"

// newEvent builds the event of one message. The message's fields are handed over, not copied.
func newEvent(m batch.Message, received time.Time, clientIP string, token *inflight.BatchAck) beat.Event {
	return beat.Event{
		Timestamp: received,
		Fields: mapstr.M{
			"type":     eventType,
			"rxtxMsg":  mapstr.M(m.Fields),
			"clientIp": clientIP,
		},
		Private: token,
	}
}
