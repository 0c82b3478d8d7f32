package message

import (
	"fmt"
	"maps"
	"strconv"

	"github.com/txn2/rtbeat/internal/batch"
)

// Fields makes the fields of messages, with the decoder's types, without decoding.
type Fields struct {
	templates []map[string]any
	made      uint64
}

// NewFields decodes n messages with rtbeat's decoder. Next copies them.
func NewFields(n int) (*Fields, error) {
	decoded, err := batch.Decode(NewBody(n, Small).Numbered(uint64(n)), batch.Options{})
	if err != nil {
		return nil, fmt.Errorf("decoding the template of the messages: %w", err)
	}
	f := &Fields{}
	for _, m := range decoded.Messages {
		f.templates = append(f.templates, m.Fields)
	}
	return f, nil
}

// Next returns new maps, which the caller may change, and a new uuid for the message.
func (f *Fields) Next() (fields map[string]any, uuid string) {
	fields = clone(f.templates[f.made%uint64(len(f.templates))])
	f.made++
	number := make([]byte, 0, len(uuidPrefix)+digits)
	number = append(number, uuidPrefix...)
	uuid = string(strconv.AppendUint(number, firstNumber+f.made, 10))
	fields["uuid"] = uuid
	return fields, uuid
}

// clone copies the maps. There are no arrays in a small message, and strings and numbers may be shared.
func clone(m map[string]any) map[string]any {
	copied := maps.Clone(m)
	for key, value := range copied {
		if inner, ok := value.(map[string]any); ok {
			copied[key] = clone(inner)
		}
	}
	return copied
}
