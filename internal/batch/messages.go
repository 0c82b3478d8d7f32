package batch

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// minMessage is the length in bytes that each announced message must have left in the body for its slot to be preallocated.
// For smaller messages the slice grows later. A body with a false size gets at most half of its own length in memory.
const minMessage = 2 * messageBytes

// messages appends an array of messages. expected is the announced number of messages, 0 if unknown.
func (d *decoder) messages(list []Message, expected int64) ([]Message, error) {
	if _, err := d.text.ReadToken(); err != nil {
		return nil, d.malformed(err)
	}
	if d.most > 0 {
		expected = min(expected, int64(d.most))
	}
	if expected > 0 {
		list = make([]Message, 0, min(expected, (d.end-d.read())/minMessage))
	}
	for kind := d.text.PeekKind(); kind != ']'; kind = d.text.PeekKind() {
		if kind != jsontext.KindInvalid {
			d.index = len(list)
		}
		m, err := d.message()
		if err != nil {
			return nil, err
		}
		d.index = -1
		list = append(list, m)
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
	start, before := d.offset(), d.openValues
	d.openValues += perMessage + messageBytes
	d.texts.begin()
	fields, err := d.object()
	if err != nil {
		return Message{}, err
	}
	end := d.read()
	m := Message{Fields: fields, Raw: d.body[start:end:end]}
	d.keys.identify(&m, d.index)
	m.Weight = d.finish(len(m.Raw), d.openValues-before)
	return m, d.settle(end)
}
