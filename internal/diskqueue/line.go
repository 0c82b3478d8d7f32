package diskqueue

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
)

// noBreaks makes one line of a message. Line breaks stand between values: a text has none.
var noBreaks = strings.NewReplacer("\n", " ", "\r", " ")

// AppendLine appends the batch as a line of JSON, a batch of rxtx with further keys, and returns how many messages are in it.
// They are those that are to be published, with the bytes that came, but for line breaks between values.
func (s *Stored) AppendLine(line []byte) (_ []byte, messages int, err error) {
	decoded, err := batch.Decode(s.Body, batch.Options{Lines: s.Lines, MaxDepth: batch.HighestMaxDepth, MaxKeyBytes: batch.HighestMaxKeyBytes})
	if err != nil {
		return nil, 0, fmt.Errorf("decoding: %w", err)
	}
	known := s.Known
	messages = len(decoded.Messages) - len(known)
	// The number is what the log calls the batch by.
	line = fmt.Appendf(line, `{"uuid":"00000000-0000-0000-0000-%012d","size":%d,"messages":[`, s.Number, messages)
	isFirst := true
	for i, m := range decoded.Messages {
		if len(known) > 0 && known[0] == i {
			known = known[1:]
			continue
		}
		if !isFirst {
			line = append(line, ',')
		}
		isFirst = false
		line = append(line, noBreaks.Replace(string(m.Raw))...)
	}
	more, err := json.Marshal(struct {
		Received time.Time         `json:"received"`
		ClientIP string            `json:"client_ip,omitempty"`
		Headers  map[string]string `json:"headers,omitempty"`
	}{s.Origin.Received, s.Origin.ClientIP, s.Origin.Headers})
	if err != nil {
		return nil, 0, fmt.Errorf("encoding: %w", err)
	}
	line = append(append(line, "],"...), more[1:]...)
	return append(line, '\n'), messages, nil
}
