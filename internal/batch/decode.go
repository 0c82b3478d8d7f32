package batch

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Decode reads a batch from a request body.
//
// The body must not be changed meanwhile, nor as long as Message.Raw is needed, which points into it; nothing else that
// is returned does. Every error is an *Error, and comes with a zero Batch: there are no half-read batches. Decode keeps no state,
// so any number of goroutines may call it at once.
//
// Decode does not limit the length of the body, its caller does. A decoded batch takes about three times the memory
// of its body when the messages are like those of rxtx, and up to sixty times when they are as small as they can be.
func Decode(body []byte) (Batch, error) {
	d := newDecoder(body)
	if len(bytes.TrimLeft(body, whitespace)) == 0 {
		return Batch{}, d.fail(EmptyBody, int64(len(body)), "the body is empty")
	}
	b, err := d.envelope()
	if err != nil {
		return Batch{}, err
	}
	b.NumbersAsStrings = d.asStrings
	return b, nil
}

// whitespace is what JSON allows between tokens; delimiters is that and what jsontext passes over by itself.
const (
	whitespace = " \t\r\n"
	delimiters = whitespace + ",:"
)

// decoder is the state of one Decode.
type decoder struct {
	body []byte
	text *jsontext.Decoder

	index     int // of the message being read, -1 outside of messages
	asStrings int // numbers kept as strings so far

	depth   int               // of the value being read, see MaxDepth
	widths  [MaxDepth + 1]int // by depth, how many keys the object before had
	stack   []any             // elements of the arrays being read
	scratch []byte            // a string without its escapes
	names   names
}

func newDecoder(body []byte) *decoder {
	return &decoder{
		body: body,
		// A bytes.Buffer is read in place, any other reader would be copied. Repeated keys are found while the
		// maps are filled, which costs less than having jsontext remember every key a second time.
		text:  jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true)),
		index: -1,
	}
}

// offset returns where the next token starts. It looks for it again, so it is for the rare places that need it.
func (d *decoder) offset() int64 {
	rest := d.body[d.text.InputOffset():]
	return int64(len(d.body) - len(bytes.TrimLeft(rest, delimiters)))
}

// end checks that nothing follows the value just read.
func (d *decoder) end() error {
	rest := bytes.TrimLeft(d.body[d.text.InputOffset():], whitespace)
	if len(rest) > 0 {
		return d.fail(MalformedJSON, int64(len(d.body)-len(rest)), msgTrailing)
	}
	return nil
}
