package batch

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// minMessage is the length in bytes that each announced message must have left in the body for its slot to be preallocated.
// For smaller messages the slice grows later. A body with a false size gets at most half of its own length in memory.
const minMessage = 2 * messageSize

// messageSize is the size of a Message in bytes.
const messageSize = 80

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
	for d.text.PeekKind() != ']' {
		longer, isKept, err := d.element(list)
		if err != nil {
			return nil, err
		}
		list = longer
		if isKept {
			return d.elements(list)
		}
	}
	if _, err := d.text.ReadToken(); err != nil {
		return nil, d.malformed(err)
	}
	return list, nil
}

// isFull reports whether n messages are all that there may be.
func (d *decoder) isFull(n int) bool { return d.most > 0 && n >= d.most }

func (d *decoder) tooMany(offset int64) error {
	return d.fail(TooManyMessages, offset, fmt.Sprintf("more than %d messages", d.most))
}

// element reads an element of an array. After an element that is kept, the text of the JSON decoder begins behind it.
func (d *decoder) element(list []Message) (longer []Message, isKept bool, err error) {
	if d.text.PeekKind() != jsontext.KindInvalid {
		d.index = len(list)
	}
	m, err := d.message()
	if err != nil {
		longer, err = d.keepElement(list, err)
		return longer, true, err
	}
	d.index = -1
	return append(list, m), false, nil
}

// elements reads the rest of an array behind an element that was kept.
func (d *decoder) elements(list []Message) ([]Message, error) {
	for {
		more, err := d.another(']')
		if err != nil {
			return nil, err
		}
		if !more {
			return list, nil
		}
		if list, _, err = d.element(list); err != nil {
			return nil, err
		}
	}
}

// message reads the message with the number d.index.
func (d *decoder) message() (Message, error) {
	kind, start, before := d.text.PeekKind(), d.offset(), d.openValues
	d.begun = begun{at: start, mark: d.mark()}
	if kind != jsontext.KindInvalid && d.isFull(d.index) {
		return Message{}, d.tooMany(start)
	}
	if kind != '{' {
		return Message{}, d.wrong(start, "a message is no object")
	}
	if err := d.yield(); err != nil {
		return Message{}, err
	}
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
