package diskqueue

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// noBreaks removes line breaks from a message. They stand between values only.
var noBreaks = strings.NewReplacer("\n", " ", "\r", " ")

// exportID is the uuid of an exported batch. An object with further keys would be no batch, and a uuid may be anything.
type exportID struct {
	Batch    uint64            `json:"batch"` // its number, by which the log names it
	Source   string            `json:"source"`
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
	id, err := json.Marshal(exportID{b.Number, cmp.Or(b.Origin.Source, inflight.DefaultSource), b.Origin.Received, b.Origin.ClientIP, b.Origin.Headers})
	if err != nil {
		return nil, 0, fmt.Errorf("encoding: %w", err)
	}
	line = fmt.Appendf(line, `{"uuid":%s,"size":%d,"messages":[`, id, messages)
	separator := ""
	for i := range b.ToPublish(len(decoded.Messages)) {
		m := &decoded.Messages[i]
		text := noBreaks.Replace(string(m.Raw))
		if m.Failure != nil {
			if text, err = exportInvalid(m); err != nil {
				return nil, 0, err
			}
		}
		line = append(append(line, separator...), text...)
		separator = ","
	}
	return append(line, "]}\n"...), messages, nil
}

// exportInvalid returns a message that is not valid as an object, with the fields that its event has.
func exportInvalid(m *batch.Message) (string, error) {
	text, err := json.Marshal(map[string]any{
		"error": map[string]string{"message": m.Failure.Error()},
		"event": map[string]string{"original": strings.ToValidUTF8(string(m.Raw), "\uFFFD")},
	})
	if err != nil {
		return "", fmt.Errorf("encoding: %w", err)
	}
	return string(text), nil
}
