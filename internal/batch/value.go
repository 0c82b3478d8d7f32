package batch

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// value reads the next value, of any kind. It returns nil while values are ignored.
func (d *decoder) value() (v any, err error) {
	if err := d.yield(); err != nil {
		return nil, err
	}
	before := d.openValues
	switch d.text.PeekKind() {
	case '{':
		v, err = d.object()
	case '[':
		v, err = d.array()
	case '"':
		v, err = d.string()
	case '0':
		v, err = d.number()
	default:
		v, err = d.literal()
	}
	if d.ignoring {
		v, d.openValues = nil, before
	}
	return v, err
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

// widest is the largest number of entries that a map is preallocated for, in 128 slots. A narrow object after a wide one wastes at
// most as many.
const widest = 104

// object reads an object. The map is preallocated for the number of keys of the last object at this depth, since the messages of
// a batch look alike.
func (d *decoder) object() (map[string]any, error) {
	if err := d.open(); err != nil {
		return nil, err
	}
	d.openValues += mapBytes
	if d.text.PeekKind() == '}' {
		return map[string]any{}, d.close()
	}
	expected := int(d.widths[d.depth])
	d.openValues += slotsBytes(expected)
	m := make(map[string]any, expected)
	for d.text.PeekKind() != '}' {
		if err := d.pay(); err != nil {
			return nil, err
		}
		name, at, err := d.name()
		if err != nil {
			return nil, err
		}
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		n := len(m)
		if n >= groupEntries && n >= expected {
			d.openValues += slotsBytes(n+1) - slotsBytes(n)
		}
		m[name] = v
		if len(m) == n {
			return nil, d.fail(MalformedJSON, at, msgDuplicate)
		}
	}
	d.widths[d.depth] = uint8(min(len(m), widest))
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
		if d.ignoring {
			continue
		}
		if err := d.push(v); err != nil {
			return nil, err
		}
	}
	elements := d.stack[base:]
	d.openValues += listBytes + allocated(len(elements)*elementBytes)
	if err := d.pay(); err != nil {
		return nil, err
	}
	list := append([]any{}, elements...)
	clear(elements)
	d.stack = d.stack[:base]
	return list, d.close()
}

// push puts an element on the stack. It pays for a larger stack before it allocates it, since that may be large. It does not
// pay for the element: a scalar is small, and an object or array has paid.
func (d *decoder) push(v any) error {
	if n := cap(d.stack); len(d.stack) == n {
		larger := max(16, n+n/2)
		d.decoderOwn += int64(larger) * elementBytes
		if err := d.pay(); err != nil {
			return err
		}
		stack := make([]any, n, larger)
		copy(stack, d.stack)
		d.stack = stack
		d.decoderOwn -= int64(n) * elementBytes
	}
	d.stack = append(d.stack, v)
	return nil
}

// open reads the bracket that begins an object or array.
func (d *decoder) open() error {
	if d.depth == d.maxDepth {
		return d.fail(TooDeep, d.offset(), fmt.Sprintf("nested deeper than %d levels", d.maxDepth))
	}
	if _, err := d.text.ReadToken(); err != nil {
		return d.malformed(err)
	}
	d.depth++
	if d.depth > d.deepest {
		d.deepest = d.depth
		d.decoderOwn += levelBytes // the stack of a goroutine does not shrink so soon
	}
	return d.pay()
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
		// The first token of a key that is no string is enough for the error.
		_, err := d.text.ReadToken()
		return "", 0, d.malformed(err)
	}
	quoted, err := d.text.ReadValue()
	if err != nil {
		return "", 0, d.malformed(err)
	}
	at := d.read() - int64(len(quoted))
	plain, err := d.unquote(quoted)
	if err != nil {
		return "", 0, err
	}
	if len(plain) > d.maxKey && d.index >= 0 {
		return "", 0, d.fail(KeyTooLong, at, fmt.Sprintf("a key is longer than %d bytes", d.maxKey))
	}
	name, own := d.names.intern(plain)
	if own {
		d.openValues += allocated(len(name))
	}
	return name, at, nil
}

// string reads a string.
func (d *decoder) string() (string, error) {
	quoted, err := d.text.ReadValue()
	if err != nil {
		return "", d.malformed(err)
	}
	if d.ignoring {
		return "", nil
	}
	plain, err := d.unquote(quoted)
	if len(plain) > d.maxString {
		return "", d.stringTooLong(len(quoted))
	}
	s, made := d.texts.make(plain)
	if s != "" {
		d.openValues += textBytes + made
	}
	return s, err
}

// stringTooLong makes the error for the value just read, which takes length bytes of the body.
func (d *decoder) stringTooLong(length int) error {
	return d.fail(StringTooLong, d.read()-int64(length), fmt.Sprintf("a string is longer than %d bytes", d.maxString))
}

// maxScratch is the largest buffer that is kept for the next string with escapes. It is too small to be charged.
const maxScratch = 8 << 10

// unquote takes quotes and escapes from a string. The result is valid until the next call.
func (d *decoder) unquote(quoted jsontext.Value) ([]byte, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}
	plain, err := jsontext.AppendUnquote(d.scratch[:0], quoted)
	if err != nil {
		return nil, d.malformed(err)
	}
	if cap(plain) <= maxScratch {
		d.scratch = plain
	}
	return plain, nil
}

// number reads a number.
func (d *decoder) number() (any, error) {
	literal, err := d.text.ReadValue()
	if err != nil {
		return nil, d.malformed(err)
	}
	if d.ignoring {
		return nil, nil
	}
	v, exact := number(literal)
	switch {
	case !exact && len(literal) > d.maxString:
		return nil, d.stringTooLong(len(literal))
	case !exact:
		d.asStrings++
		d.openValues += textBytes + allocated(len(literal))
	case len(literal) > 2 || literal[0] == '-':
		d.openValues += numberBytes
	}
	return v, nil
}
