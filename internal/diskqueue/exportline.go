package diskqueue

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// noBreaks removes line breaks from a message. They stand between values only.
var noBreaks = strings.NewReplacer("\n", " ", "\r", " ")

// exportID is the uuid of an exported batch. An object with further keys would be no batch, and a uuid may be anything.
type exportID struct {
	Batch    uint64            `json:"batch"` // its number, by which the log names it
	Received time.Time         `json:"received"`
	ClientIP string            `json:"client_ip,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"`
}

// AppendLine appends the batch as a line of JSON, a batch of rxtx. The line has the messages that must be published, as they were
// sent but without line breaks; messages is their number.
func (b *ExportedBatch) AppendLine(line []byte) (_ []byte, messages int, err error) {
	decoded, err := b.Decode()
	if err != nil {
		return nil, 0, fmt.Errorf("decoding: %w", err)
	}
	messages = len(decoded.Messages) - len(b.Skip)
	id, err := json.Marshal(exportID{b.Number, b.Origin.Received, b.Origin.ClientIP, b.Origin.Headers})
	if err != nil {
		return nil, 0, fmt.Errorf("encoding: %w", err)
	}
	line = fmt.Appendf(line, `{"uuid":%s,"size":%d,"messages":[`, id, messages)
	separator := ""
	for i := range b.ToPublish(len(decoded.Messages)) {
		line = append(append(line, separator...), noBreaks.Replace(string(decoded.Messages[i].Raw))...)
		separator = ","
	}
	return append(line, "]}\n"...), messages, nil
}
