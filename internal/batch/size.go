package batch

import "fmt"

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
