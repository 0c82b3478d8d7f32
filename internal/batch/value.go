package batch

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// value reads the next value, whatever it is.
func (d *decoder) value() (any, error) {
	switch d.text.PeekKind() {
	case '{':
		return d.object()
	case '[':
		return d.array()
	case '"':
		return d.string()
	case '0':
		return d.number()
	default:
		return d.literal()
	}
}

// literal reads true, false or null. Any other token is an error where a value is due.
func (d *decoder) literal() (any, error) {
	token, err := d.text.ReadToken()
	if err != nil {
		return nil, d.malformed(err)
	}
	switch token.Kind() {
	case 't':
		return true, nil
	case 'f':
		return false, nil
	default:
		return nil, nil
	}
}

// object reads an object. The maps are made as wide as the object before at the same depth, since the messages
// of a batch look alike. That room is never more than the object before paid for.
func (d *decoder) object() (map[string]any, error) {
	if err := d.open(); err != nil {
		return nil, err
	}
	if d.text.PeekKind() == '}' {
		return map[string]any{}, d.close()
	}
	m := make(map[string]any, d.widths[d.depth])
	for d.text.PeekKind() != '}' {
		name, at, err := d.name()
		if err != nil {
			return nil, err
		}
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		n := len(m)
		m[name] = v
		if len(m) == n {
			return nil, d.fail(MalformedJSON, at, msgDuplicate)
		}
	}
	d.widths[d.depth] = len(m)
	return m, d.close()
}

// array reads an array. Its elements are gathered on a stack that all arrays share, so that each slice is made
// once, with its exact length.
func (d *decoder) array() ([]any, error) {
	if err := d.open(); err != nil {
		return nil, err
	}
	base := len(d.stack)
	for d.text.PeekKind() != ']' {
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		d.stack = append(d.stack, v)
	}
	list := append([]any{}, d.stack[base:]...)
	clear(d.stack[base:])
	d.stack = d.stack[:base]
	return list, d.close()
}

// open reads the bracket that begins an object or array.
func (d *decoder) open() error {
	if d.depth == MaxDepth {
		return d.fail(TooDeep, d.offset(), fmt.Sprintf("nested deeper than %d levels", MaxDepth))
	}
	if _, err := d.text.ReadToken(); err != nil {
		return d.malformed(err)
	}
	d.depth++
	return nil
}

// close reads the bracket that ends it.
func (d *decoder) close() error {
	if _, err := d.text.ReadToken(); err != nil {
		return d.malformed(err)
	}
	d.depth--
	return nil
}

// name reads an object key and returns it with its offset.
func (d *decoder) name() (string, int64, error) {
	if d.text.PeekKind() != '"' {
		// A key that is no string is not worth reading: taking its first token is enough for the error.
		_, err := d.text.ReadToken()
		return "", 0, d.malformed(err)
	}
	quoted, err := d.text.ReadValue()
	if err != nil {
		return "", 0, d.malformed(err)
	}
	at := d.text.InputOffset() - int64(len(quoted))
	plain, err := d.unquote(quoted)
	if err != nil {
		return "", 0, err
	}
	return d.names.intern(plain), at, nil
}

// string reads a string.
func (d *decoder) string() (string, error) {
	quoted, err := d.text.ReadValue()
	if err != nil {
		return "", d.malformed(err)
	}
	plain, err := d.unquote(quoted)
	return string(plain), err
}

// unquote takes quotes and escapes from a string. The result is valid until the next call.
func (d *decoder) unquote(quoted jsontext.Value) ([]byte, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}
	plain, err := jsontext.AppendUnquote(d.scratch[:0], quoted)
	if err != nil {
		return nil, d.malformed(err)
	}
	d.scratch = plain
	return plain, nil
}

// number reads a number.
func (d *decoder) number() (any, error) {
	literal, err := d.text.ReadValue()
	if err != nil {
		return nil, d.malformed(err)
	}
	v, exact := number(literal)
	if !exact {
		d.asStrings++
	}
	return v, nil
}
