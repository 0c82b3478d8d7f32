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
		before := d.mark()
		longer, err := d.values(list, at, kind, isFirst)
		if err != nil {
			if longer, err = d.keepLine(list, at, before, err); err != nil {
				return nil, err
			}
		}
		if m := longer[len(list):]; !isFirst && !d.lines && kind == '{' && looksLikeBatch(m[0].Fields) {
			return nil, d.fail(WrongShape, at, msgAmong)
		}
		list = longer
	}
}

// values appends the messages of the value at an offset, which begins with a token of this kind.
func (d *decoder) values(list []Message, at int64, kind jsontext.Kind, isFirst bool) ([]Message, error) {
	switch {
	case kind == '[':
		return d.messages(list, 0)
	case isFirst && !d.lines && kind != '{':
		return nil, d.wrong(at, "the body is no JSON object and no array")
	case !isFirst && isNoValue(kind) && !bytes.HasPrefix(d.body[at:], byteOrderMark):
		d.index = len(list)
		return nil, d.fail(MalformedJSON, at, msgTrailing)
	default:
		return d.oneMessage(list)
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
