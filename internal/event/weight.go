package event

import (
	"encoding/json"

	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// The cost of parts of an event, in bytes of weight, beside their text.
const (
	entryWeight = 16 // an entry of a map
	mapWeight   = 64 // a small map: a sixth of 350 bytes

	invalidWeight = 3 * mapWeight // error, event, and the tags
)

// Weight is what the form and the request add to a message's share of max_in_flight_bytes, without headers and trace. It is 0 for
// the default form.
func (f *Form) Weight(m batch.Message, o inflight.Origin) int {
	weight := f.weight
	switch {
	case m.Failure != nil: // its length counts already, as that of the original
		weight += invalidWeight
	case f.path == nil: // the map of the message may grow, and rxtxMsg have another
		weight += mapWeight + entryWeight*len(m.Fields)
	}
	if o.Sender != "" {
		weight += entryWeight // events share the text
	}
	if o.Path != "" {
		weight += mapWeight + len(o.Path)
	}
	return weight
}

// weigh is the weight of the fields, the tags and the groups around the message. They are weighed as a message that has them.
func (f *Form) weigh() int {
	added := mapstr.M{}
	if len(f.path) > 1 {
		put(added, f.path, 0)
	}
	if len(f.settings.Fields) > 0 {
		added["fields"] = f.settings.Fields
	}
	if len(f.settings.Tags) > 0 {
		added["tags"] = f.settings.Tags
	}
	if len(added) == 0 {
		return 0
	}
	text, err := json.Marshal([]any{added})
	if err != nil {
		return 0 // Check has refused it
	}
	b, err := batch.Decode(text, batch.Options{
		MaxDepth: batch.HighestMaxDepth, MaxKeyBytes: batch.HighestMaxKeyBytes, MaxStringBytes: batch.HighestMaxStringBytes,
	})
	if err != nil {
		return len(text) // deeper or longer than any message
	}
	return b.Messages[0].Weight
}
