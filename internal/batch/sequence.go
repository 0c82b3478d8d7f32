package batch

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// sequence reads values up to the end of the text: objects that are messages, and arrays of messages. The first object of a body that
// is not NDJSON may be a batch, which stands alone.
func (d *decoder) sequence(list []Message) ([]Message, error) {
	for isFirst := true; ; isFirst = false {
		at, more := d.next()
		if !more {
			return list, nil
		}
		kind := d.text.PeekKind()
		if isFirst && !d.lines && kind == '{' {
			if whole, isBatch, err := d.batchOfRxtx(at); isBatch {
				return whole, err
			}
		}
		var err error
		switch {
		case kind == '[':
			list, err = d.messages(list, 0)
		case isFirst && !d.lines && kind != '{':
			err = d.wrong(at, "the body is no JSON object and no array")
		case !isFirst && isNoValue(kind) && !bytes.HasPrefix(d.body[at:], byteOrderMark):
			d.index = len(list)
			err = d.fail(MalformedJSON, at, msgTrailing)
		default:
			list, err = d.oneMessage(list)
			if err == nil && !isFirst && !d.lines && looksLikeBatch(list[len(list)-1].Fields) {
				err = d.fail(WrongShape, at, msgAmong)
			}
		}
		if err != nil {
			return nil, err
		}
	}
}

// oneMessage reads a value that is a message.
func (d *decoder) oneMessage(list []Message) ([]Message, error) {
	d.index = len(list)
	m, err := d.message()
	if err != nil {
		return nil, err
	}
	d.index = -1
	return append(list, m), nil
}

// isNoValue reports whether no value begins with a token of this kind.
func isNoValue(kind jsontext.Kind) bool {
	return kind == jsontext.KindInvalid || kind == '}' || kind == ']'
}

// looksLikeBatch reports whether an object has the keys of a batch and no other.
func looksLikeBatch(fields map[string]any) bool {
	for key := range fields {
		if !isBatchKey(key) {
			return false
		}
	}
	list, found := fields["messages"]
	_, isArray := list.([]any)
	return found && (isArray || list == nil)
}

func isBatchKey(key string) bool { return key == "messages" || key == "size" || key == "uuid" }
