package harness

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
)

// Message is one message with the id that its sender keeps across retries.
type Message struct {
	ID  string
	Raw json.RawMessage
}

// Batch has the messages of one POST, in the form of rxtx.
type Batch []Message

// Body is the batch as JSON, with a new batch uuid, as rxtx makes one for every attempt.
func (b Batch) Body() []byte {
	var buf bytes.Buffer
	fmt.Fprintf(&buf, `{"uuid":%q,"size":%d,"messages":[`, rand.Text(), len(b))
	for i, m := range b {
		if i > 0 {
			buf.WriteByte(',')
		}
		buf.Write(m.Raw)
	}
	buf.WriteString("]}")
	return buf.Bytes()
}

// NewBatch makes n messages with the ids name-0, name-1, … of about 150 bytes each.
func NewBatch(name string, n int) Batch {
	return NewLabelledBatch(name, n, func(int) string { return "keep" })
}

// NewLabelledBatch is NewBatch with a label for each message, for processors.
func NewLabelledBatch(name string, n int, label func(i int) string) Batch {
	b := make(Batch, n)
	for i := range b {
		id := fmt.Sprintf("%s-%d", name, i)
		b[i] = Message{ID: id, Raw: json.RawMessage(fmt.Sprintf(
			`{"seq":%q,"time":"2024-05-06T07:08:09Z","uuid":%q,"producer":"e2e","label":%q,"key":"k","payload":{"n":%d}}`,
			fmt.Sprint(i), id, label(i), i))}
	}
	return b
}

// Padded is NewBatch with messages of at least size bytes.
func Padded(name string, n, size int) Batch {
	b := NewBatch(name, n)
	for i, m := range b {
		if missing := size - len(m.Raw); missing > 0 {
			b[i].Raw = bytes.Replace(m.Raw, []byte(`"payload":{`),
				[]byte(`"payload":{"pad":"`+strings.Repeat("x", missing)+`",`), 1)
		}
	}
	return b
}
