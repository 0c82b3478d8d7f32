package batch

import (
	"strconv"
	"strings"
)

// Identity says how a message is known when it is sent again. A message is known by the first of these that it has: an id in
// its Fields, the id that was Given for the request, its Content. The bytes of the message always belong to its Key: the same id with
// other bytes is another message.
//
// Stored batches have it as JSON: its names must not change.
type Identity struct {
	// Scope is a name for the senders that share ids: equal messages of two scopes have different keys. Stores hold documents
	// whose keys have no scope.
	Scope string `json:"scope,omitempty"`

	// Fields are the paths of keys that may hold the id, such as "uuid" or "event.id". The first that is a string, not empty, or
	// a number is the id. A key with dots of its own comes before a nested one.
	Fields []string `json:"fields,omitempty"`

	// Given is the id of the whole request, from a header; "" for none. Then the index of a message belongs to its key.
	Given string `json:"given,omitempty"`

	// Content makes any message known by its bytes alone. Two messages that are equal on purpose count as one then.
	Content bool `json:"content,omitempty"`

	// Off makes no keys, because nobody needs them.
	Off bool `json:"-"`
}

// id returns the id in the fields of a message, or "".
func (i *Identity) id(fields map[string]any) string {
	for _, path := range i.Fields {
		if id := text(find(fields, path)); id != "" {
			return id
		}
	}
	return ""
}

// find returns the value of a path, as the processors of libbeat find it; nil for none.
func find(fields map[string]any, path string) any {
	for {
		if v, ok := fields[path]; ok {
			return v
		}
		first, rest, found := strings.Cut(path, ".")
		inner, isObject := fields[first].(map[string]any)
		if !found || !isObject {
			return nil
		}
		fields, path = inner, rest
	}
}

// text returns a string or a number as text, and "" for other values. A number beyond the Go numbers is a string already.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return ""
	}
}
