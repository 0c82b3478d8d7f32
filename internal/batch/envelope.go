package batch

import "fmt"

// envelope reads the batch of rxtx, the whole body.
func (d *decoder) envelope() ([]Message, error) {
	start := d.offset()
	if _, err := d.text.ReadToken(); err != nil {
		return nil, d.malformed(err)
	}

	var (
		list []Message
		size size
	)
	seen := make(map[string]struct{})
	d.openValues += keySetBytes
	for d.text.PeekKind() != '}' {
		name, at, err := d.name()
		if err != nil {
			return nil, err
		}
		if _, repeated := seen[name]; repeated {
			return nil, d.fail(MalformedJSON, at, msgDuplicate)
		}
		seen[name] = struct{}{}
		d.openValues += keyBytes
		if err := d.pay(); err != nil {
			return nil, err
		}
		switch name {
		case "messages":
			list, err = d.messagesOrNull(size.announced())
		case "size":
			size, err = d.size()
		default:
			err = d.ignored()
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := d.text.ReadToken(); err != nil {
		return nil, d.malformed(err)
	}
	if err := d.endOfText(); err != nil {
		return nil, err
	}

	if _, found := seen["messages"]; !found {
		return nil, d.fail(WrongShape, start, "there is no key messages")
	}
	if !size.matches(len(list)) {
		return nil, d.fail(SizeMismatch, size.at, fmt.Sprintf("size is %s, but the number of messages is %d",
			size, len(list)))
	}
	return list, nil
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
	switch d.text.PeekKind() {
	case 'n':
		return nil, d.ignored()
	case '[':
		return d.messages(expected)
	default:
		return nil, d.wrong(d.offset(), "messages is no array")
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

// size is the number of messages that a batch announces. The zero value announces none.
type size struct {
	number any // int64, uint64 or float64; a string for any other number
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

// announced returns the number of messages as an integer, 0 if it is none.
func (s size) announced() int64 {
	n, _ := s.number.(int64)
	return max(n, 0)
}

// matches reports whether a batch of n messages may have this size.
func (s size) matches(n int) bool {
	return s.number == nil || s.number == any(int64(n)) || s.number == any(float64(n))
}

// String returns the number in its shortest form, not the digits of the body.
func (s size) String() string {
	if _, isText := s.number.(string); isText {
		return "a number beyond 64 bits"
	}
	return fmt.Sprint(s.number)
}
