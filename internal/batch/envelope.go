package batch

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// minMessage is the fewest bytes a message is taken to have when room is made for as many messages as size
// announces. A body of smaller messages only grows its slice later; a body that lies about its size gets no
// more memory than it paid for in bytes.
const minMessage = 32

// envelope reads the batch of rxtx, the whole body.
func (d *decoder) envelope() (Batch, error) {
	start := d.offset()
	if d.text.PeekKind() != '{' {
		return Batch{}, d.wrong(start, "the body is no JSON object")
	}
	if _, err := d.text.ReadToken(); err != nil {
		return Batch{}, d.malformed(err)
	}

	var (
		b    Batch
		size size
		seen = make(map[string]struct{}, 8)
	)
	for d.text.PeekKind() != '}' {
		name, at, err := d.name()
		if err != nil {
			return Batch{}, err
		}
		if _, dup := seen[name]; dup {
			return Batch{}, d.fail(MalformedJSON, at, msgDuplicate)
		}
		seen[name] = struct{}{}

		switch name {
		case "messages":
			b.Messages, err = d.messages(size.announced())
		case "size":
			size, err = d.size()
		default:
			err = d.ignored()
		}
		if err != nil {
			return Batch{}, err
		}
	}
	if _, err := d.text.ReadToken(); err != nil {
		return Batch{}, d.malformed(err)
	}
	if err := d.end(); err != nil {
		return Batch{}, err
	}

	if _, ok := seen["messages"]; !ok {
		return Batch{}, d.fail(WrongShape, start, "there is no key messages")
	}
	if !size.fits(len(b.Messages)) {
		return Batch{}, d.fail(SizeMismatch, size.at, fmt.Sprintf("size is %s, but the number of messages is %d",
			size, len(b.Messages)))
	}
	return b, nil
}

// messages reads the value of the key messages. room is how many messages to expect, 0 if that is not known.
func (d *decoder) messages(room int64) ([]Message, error) {
	switch d.text.PeekKind() {
	case 'n':
		return nil, d.ignored()
	case '[':
	default:
		return nil, d.wrong(d.offset(), "messages is no array")
	}
	if _, err := d.text.ReadToken(); err != nil {
		return nil, d.malformed(err)
	}

	left := int64(len(d.body)) - d.text.InputOffset()
	list := make([]Message, 0, min(room, left/minMessage))
	for kind := d.text.PeekKind(); kind != ']'; kind = d.text.PeekKind() {
		if kind != jsontext.KindInvalid {
			d.index = len(list)
		}
		m, err := d.message()
		if err != nil {
			return nil, err
		}
		list = append(list, m)
		d.index = -1
	}
	if _, err := d.text.ReadToken(); err != nil {
		return nil, d.malformed(err)
	}
	return list, nil
}

// message reads one message.
func (d *decoder) message() (Message, error) {
	if d.text.PeekKind() != '{' {
		return Message{}, d.wrong(d.offset(), "a message is no object")
	}
	start, asStrings := d.offset(), d.asStrings
	fields, err := d.object()
	if err != nil {
		return Message{}, err
	}
	end := d.text.InputOffset()
	m := Message{Fields: fields, Raw: d.body[start:end:end]}
	m.UUID, _ = fields["uuid"].(string)
	if m.UUID != "" && d.asStrings > asStrings && !hasStringUUID(m.Raw) {
		m.UUID = "" // a number, kept as a string
	}
	return m, nil
}

// hasStringUUID looks at the text of a message, which is well-formed, for the kind of its uuid.
func hasStringUUID(raw []byte) bool {
	text := jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true))
	for _, err := text.ReadToken(); err == nil; err = text.SkipValue() {
		if name, err := text.ReadToken(); err != nil || name.String() == "uuid" {
			break
		}
	}
	return text.PeekKind() == '"'
}

// ignored reads a value that nobody needs, to see that it is well-formed.
func (d *decoder) ignored() error {
	count := d.asStrings
	_, err := d.value()
	d.asStrings = count
	return err
}

// wrong returns the error for the next value, which starts at offset and has the wrong shape, unless it has a
// problem of its own.
func (d *decoder) wrong(offset int64, msg string) error {
	if err := d.ignored(); err != nil {
		return err
	}
	return d.fail(WrongShape, offset, msg)
}

// size is what a batch says about its number of messages. The zero value says nothing.
type size struct {
	number any // int64, uint64, float64; a string for one that is none of these
	at     int64
}

// size reads the value of the key size.
func (d *decoder) size() (size, error) {
	at := d.offset()
	switch d.text.PeekKind() {
	case 'n':
		return size{}, d.ignored()
	case '0':
	default:
		return size{}, d.wrong(at, "size is no number")
	}
	literal, err := d.text.ReadValue()
	if err != nil {
		return size{}, d.malformed(err)
	}
	n, _ := number(literal)
	return size{number: n, at: at}, nil
}

// announced returns how many messages to expect, 0 if the size does not say.
func (s size) announced() int64 {
	n, _ := s.number.(int64)
	return max(n, 0)
}

// fits reports whether a batch of n messages may have this size.
func (s size) fits(n int) bool {
	switch v := s.number.(type) {
	case nil:
		return true
	case int64:
		return v == int64(n)
	case float64:
		return v == float64(n)
	default:
		return false
	}
}

// String returns the number in short, not the digits of the body.
func (s size) String() string {
	switch v := s.number.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return "a number beyond 64 bits"
	}
}
