package batch

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// minMessage is the fewest bytes a message is taken to have when room is made for as many messages as size
// announces. A body of smaller messages only grows its slice later; a body that lies about its size gets no
// more memory than half its own.
const minMessage = 2 * messageBytes

// messages reads an array of messages. room is how many to expect, 0 if that is not known.
func (d *decoder) messages(room int64) ([]Message, error) {
	if _, err := d.text.ReadToken(); err != nil {
		return nil, d.malformed(err)
	}
	if d.most > 0 {
		room = min(room, int64(d.most))
	}
	list := make([]Message, 0, min(room, (d.end-d.read())/minMessage))
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

// message reads the message with the number d.index.
func (d *decoder) message() (Message, error) {
	kind := d.text.PeekKind()
	if d.most > 0 && d.index >= d.most && kind != jsontext.KindInvalid {
		return Message{}, d.fail(TooManyMessages, d.offset(), fmt.Sprintf("more than %d messages", d.most))
	}
	if kind != '{' {
		return Message{}, d.wrong(d.offset(), "a message is no object")
	}
	if err := d.yield(); err != nil {
		return Message{}, err
	}
	start, asStrings, made := d.offset(), d.asStrings, d.made
	d.made += perMessage + messageBytes
	d.texts.begin()
	fields, err := d.object()
	if err != nil {
		return Message{}, err
	}
	end := d.read()
	m := Message{Fields: fields, Raw: d.body[start:end:end]}
	m.UUID, _ = fields["uuid"].(string)
	if m.UUID != "" && d.asStrings > asStrings && !hasStringUUID(m.Raw) {
		m.UUID = "" // a number, kept as a string
	}
	m.Weight = d.finish(len(m.Raw), d.made-made)
	return m, d.settle(end)
}

// hasStringUUID looks at the text of a message, which is well-formed, for the kind of its uuid.
func hasStringUUID(raw []byte) bool {
	text := jsontext.NewDecoder(bytes.NewBuffer(raw), strict)
	for _, err := text.ReadToken(); err == nil; err = text.SkipValue() {
		if name, err := text.ReadToken(); err != nil || name.String() == "uuid" {
			break
		}
	}
	return text.PeekKind() == '"'
}
