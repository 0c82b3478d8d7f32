package diskqueue

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// noBreaks removes line breaks from a message. They stand between values only.
var noBreaks = strings.NewReplacer("\n", " ", "\r", " ")

// AppendLine appends the batch as a line of JSON, a batch of rxtx with further keys. The line has the messages that must be
// published, as they were sent but without line breaks; messages is their number.
func (b *ExportedBatch) AppendLine(line []byte) (_ []byte, messages int, err error) {
	decoded, err := b.Decode()
	if err != nil {
		return nil, 0, fmt.Errorf("decoding: %w", err)
	}
	messages = len(decoded.Messages) - len(b.Skip)
	// The log names the batch by its number.
	line = fmt.Appendf(line, `{"uuid":"00000000-0000-0000-0000-%012d","size":%d,"messages":[`, b.Number, messages)
	separator := ""
	for i := range b.ToPublish(len(decoded.Messages)) {
		line = append(append(line, separator...), noBreaks.Replace(string(decoded.Messages[i].Raw))...)
		separator = ","
	}
	more, err := json.Marshal(struct {
		Received time.Time         `json:"received"`
		ClientIP string            `json:"client_ip,omitempty"`
		Headers  map[string]string `json:"headers,omitempty"`
	}{b.Origin.Received, b.Origin.ClientIP, b.Origin.Headers})
	if err != nil {
		return nil, 0, fmt.Errorf("encoding: %w", err)
	}
	line = append(append(line, "],"...), more[1:]...)
	return append(line, '\n'), messages, nil
}
