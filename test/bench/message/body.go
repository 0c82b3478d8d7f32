package message

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

// Body is the body of a request, made once. Only the numbers in the uuids change between requests: rtbeat takes each message for a
// new one, and the change is cheap.
type Body struct {
	bytes []byte
	at    []int // the positions of the numbers
}

// NewBody makes a batch of n messages.
func NewBody(n int, size Size) *Body {
	messages := make([]map[string]any, n)
	for i := range messages {
		messages[i] = message(i, size)
	}
	encoded, err := json.Marshal(map[string]any{"uuid": "batch", "size": n, "messages": messages})
	if err != nil { // plain values do not fail
		panic(err)
	}
	b := &Body{bytes: encoded}
	prefix := []byte(`"` + uuidPrefix)
	for from := 0; ; {
		i := bytes.Index(encoded[from:], prefix)
		if i < 0 {
			return b
		}
		from += i + len(prefix)
		b.at = append(b.at, from)
	}
}

// Clone returns a copy for another sender.
func (b *Body) Clone() *Body { return &Body{bytes: slices.Clone(b.bytes), at: b.at} }

// Numbered returns the body with its messages numbered from last downwards. It is valid until the next call.
func (b *Body) Numbered(last uint64) []byte {
	for i, at := range b.at {
		strconv.AppendUint(b.bytes[at:at], firstNumber+last-uint64(i), 10)
	}
	return b.bytes
}
