package batch

import (
	"errors"
	"fmt"
)

// errMessage says that an object is a message, and no batch.
var errMessage = errors.New("the object is a message")

// batchOfRxtx reads the object at an offset, the first value of the body, if it is a batch. Otherwise the object is the next value
// again. It is read as a batch at once, so that a batch is read once. After an error, its keys decide.
func (d *decoder) batchOfRxtx(at int64) (list []Message, isBatch bool, err error) {
	before := d.mark()
	list, err = d.envelope(at)
	if _, isRefused := errors.AsType[*Error](err); isRefused && !d.otherKeys {
		kind, lookErr := d.look(at, d.end)
		switch {
		case lookErr != nil:
			return nil, true, lookErr
		case kind == aMessage:
			err = errMessage
		}
	}
	if !errors.Is(err, errMessage) {
		return list, true, err
	}
	d.rewind(before)
	d.seek(at)
	return nil, false, nil
}

// envelope reads a batch, the whole body. The error is errMessage if the object has another key, or no messages.
//
// It reads the delimiters itself: an array with a message that is kept though it is not valid ends the text of the JSON decoder.
func (d *decoder) envelope(at int64) ([]Message, error) {
	var (
		list []Message
		size size
	)
	seen := make(map[string]bool)
	d.seek(at + 1)
	var err error
	for more := !d.closes('}'); more && err == nil; {
		var name string
		if name, err = d.member(seen); err != nil {
			break
		}
		switch {
		case name == "messages":
			list, err = d.messagesOrNull(size.announced())
		case name == "size":
			size, err = d.size()
		case name == "uuid" || d.otherKeys:
			err = d.ignored()
		default:
			err = errMessage
		}
		if err == nil {
			more, err = d.another('}')
		}
	}
	if err != nil {
		return nil, err
	}
	if !seen["messages"] {
		return nil, errMessage
	}
	if err := d.endOfBatch(); err != nil {
		return nil, err
	}
	if !size.matches(len(list)) {
		return nil, d.fail(SizeMismatch, size.at, fmt.Sprintf("size is %s, but the number of messages is %d",
			size, len(list)))
	}
	return list, nil
}

// endOfBatch checks that nothing follows a batch.
func (d *decoder) endOfBatch() error {
	at, more := d.next()
	if !more {
		return nil
	}
	if kind := d.text.PeekKind(); kind == '{' || kind == '[' {
		return d.fail(WrongShape, at, msgAmong)
	}
	return d.fail(MalformedJSON, at, msgTrailing)
}

// closes reads the bracket that closes an empty list, if it comes next.
func (d *decoder) closes(closing byte) bool {
	at, found := d.next()
	if !found || d.body[at] != closing {
		return false
	}
	d.seek(at + 1)
	return true
}

// another reads what follows a value in a list: a comma, or the bracket that closes the list.
func (d *decoder) another(closing byte) (more bool, err error) {
	at, found := d.next()
	switch {
	case found && d.body[at] == closing:
		d.seek(at + 1)
		return false, nil
	case found && d.body[at] == ',':
		d.seek(at + 1)
		if next, found := d.next(); found && d.body[next] == closing {
			return false, d.unexpected(at)
		}
		return true, nil
	default:
		return false, d.unexpected(at)
	}
}

// member reads a key of the batch and its colon. The keys that were seen are those of a batch.
func (d *decoder) member(seen map[string]bool) (string, error) {
	at, _ := d.next()
	switch kind := d.text.PeekKind(); {
	case isNoValue(kind):
		return "", d.unexpected(at)
	case kind != '"':
		return "", d.fail(MalformedJSON, at, msgName)
	}
	name, at, err := d.name()
	if err != nil {
		return "", err
	}
	if seen[name] {
		return "", d.fail(MalformedJSON, at, msgDuplicate)
	}
	if isBatchKey(name) {
		seen[name] = true
	}
	at, found := d.next()
	if !found || d.body[at] != ':' {
		return "", d.unexpected(at)
	}
	d.seek(at + 1)
	return name, nil
}

// ignored reads a value only to check that it is well-formed.
func (d *decoder) ignored() error {
	d.ignoring = true
	_, err := d.value()
	d.ignoring = false
	return err
}

// messagesOrNull reads the value of the key messages. expected is the announced number of messages, 0 if unknown.
func (d *decoder) messagesOrNull(expected int64) ([]Message, error) {
	switch kind := d.text.PeekKind(); {
	case kind == '[':
		return d.messages(nil, expected)
	case kind == 'n' || isNoValue(kind):
		return nil, d.ignored()
	default:
		return nil, errMessage
	}
}

// wrong returns the error for the next value, which starts at offset and has the wrong shape. A problem within the value comes
// first.
func (d *decoder) wrong(offset int64, msg string) error {
	if err := d.ignored(); err != nil {
		return err
	}
	return d.fail(WrongShape, offset, msg)
}
