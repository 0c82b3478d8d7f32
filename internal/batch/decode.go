package batch

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/txn2/rtbeat/internal/pace"
)

// Decode reads a batch from a request body, as the options say.
//
// The body must not change during Decode, nor while Message.Raw is in use, which points into it. Nothing else in the batch
// points into the body. Every error is an *Error, or the error of Options.Charge or Options.Interrupted. It comes with a zero
// Batch. Decode keeps no state, so any number of goroutines may call it at once.
//
// The caller limits the length of the body. Decode takes at most six times the body, its charges and one chargeStep together. The
// text of one value and about 32 KiB come on top.
func Decode(body []byte, o Options) (Batch, error) {
	d := newDecoder(body, o)
	if len(bytes.TrimLeft(body, whitespace)) == 0 {
		return Batch{}, d.fail(EmptyBody, int64(len(body)), "the body is empty")
	}
	messages, err := d.batch()
	if err == nil {
		err = d.chargeTo(d.excess, 1) // nothing but the messages is left
	}
	if err != nil {
		return Batch{}, err
	}
	return Batch{Messages: messages, NumbersAsStrings: d.asStrings}, nil
}

// whitespace is the white space of JSON. delimiters are the characters that jsontext skips between tokens.
const (
	whitespace = " \t\r\n"
	delimiters = whitespace + ",:"
)

// decoder is the state of one Decode.
type decoder struct {
	account

	body []byte
	text *jsontext.Decoder
	// The text being read: all of the body, or one line of it.
	lines      bool
	start, end int64
	buffer     bytes.Buffer

	pace                      pace.Pace
	interrupted               func() error
	yieldedAt, yieldedCharged int64 // in the body, and of the charges

	index     int  // of the message being read, -1 outside of messages
	ignoring  bool // values are checked, and not kept
	most      int  // messages, 0 for any number
	asStrings int  // numbers kept as strings so far

	depth, deepest, maxDepth int // of the value being read, so far, and allowed
	maxKey, maxString        int // bytes

	widths  [HighestMaxDepth + 1]uint8 // by depth, how many keys the object before had, at most widest
	stack   []any                      // elements of the arrays being read
	scratch []byte                     // a string without its escapes
	keys    keyMaker
	names   names
	texts   texts
}

// strict are the options of jsontext. Decode finds repeated keys while it fills the maps: jsontext would remember every key a
// second time.
var strict = jsontext.AllowDuplicateNames(true)

func newDecoder(body []byte, o Options) *decoder {
	d := &decoder{
		account:   account{charge: o.Charge},
		body:      body,
		lines:     o.Lines,
		end:       int64(len(body)),
		index:     -1,
		keys:      keyMaker{Identity: o.Identity},
		most:      max(o.MaxMessages, 0),
		maxDepth:  limit(o.MaxDepth, DefaultMaxDepth, HighestMaxDepth),
		maxKey:    limit(o.MaxKeyBytes, DefaultMaxKeyBytes, HighestMaxKeyBytes),
		maxString: limit(o.MaxStringBytes, HighestMaxStringBytes, HighestMaxStringBytes),

		interrupted: o.Interrupted,
	}
	// A bytes.Buffer is read in place, any other reader would be copied.
	d.buffer = *bytes.NewBuffer(body)
	d.text = jsontext.NewDecoder(&d.buffer, strict)
	return d
}

// batch reads the whole body.
func (d *decoder) batch() ([]Message, error) {
	if d.lines {
		return d.lineByLine()
	}
	switch d.text.PeekKind() {
	case '{':
		return d.envelope()
	case '[':
		list, err := d.messages(0)
		if err != nil {
			return nil, err
		}
		return list, d.endOfText()
	default:
		return nil, d.wrong(d.offset(), "the body is no JSON object and no array")
	}
}

// read returns how much of the body has been read.
func (d *decoder) read() int64 {
	return d.start + d.text.InputOffset()
}

// offset returns where the next token starts. It searches for it, so it is for rare calls.
func (d *decoder) offset() int64 {
	rest := d.body[d.read():d.end]
	return d.end - int64(len(bytes.TrimLeft(rest, delimiters)))
}

// endOfText checks that nothing follows the value just read.
func (d *decoder) endOfText() error {
	rest := d.body[d.read():d.end]
	more := bytes.TrimLeft(rest, whitespace)
	if len(more) == 0 {
		return nil
	}
	msg := msgTrailing
	switch {
	case d.lines:
		msg = msgLineMore
	case more[0] == '{' && bytes.IndexByte(rest[:len(rest)-len(more)], '\n') >= 0:
		msg = msgTrailingLine
	}
	return d.fail(MalformedJSON, d.end-int64(len(more)), msg)
}
