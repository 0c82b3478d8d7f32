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
	messages, err := d.decode()
	if err == nil {
		err = d.identifyInvalid(messages)
	}
	if err == nil {
		err = d.chargeTo(d.excess, 1) // nothing but the messages is left
	}
	if err != nil {
		return Batch{}, err
	}
	return Batch{Messages: messages, NumbersAsStrings: d.asStrings}, nil
}

// whitespace is the white space of JSON.
const whitespace = " \t\r\n"

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// byteOrderMark may begin a body.
var byteOrderMark = []byte("\uFEFF")

// decoder is the state of one Decode. decode reads the body by sequence, in NDJSON line by line. sequence reads values: the batch of
// rxtx by batchOfRxtx, arrays by messages, and objects by oneMessage. message reads a message. An error goes up to keepElement or
// keepLine, which keep the message if they can.
type decoder struct {
	account

	body []byte
	text *jsontext.Decoder
	// The text being read, all of the body or one line of it, and the rest that text was reset to.
	lines      bool
	start, end int64
	buffer     bytes.Buffer

	copied  []byte // the end of the text, for seekLegible
	copyEnd int64  // offset of its end in the body

	otherKeys   bool // in a batch
	keepInvalid bool
	begun       begun // the last message

	pace                      pace.Pace
	interrupted               func() error
	yieldedAt, yieldedCharged int64 // in the body, and of the charges

	lineAt, lineNumber int64 // of the last error in NDJSON, the number without the first line

	index     int  // of the message being read, -1 outside of messages
	ignoring  bool // values are checked, and not kept
	most      int  // messages, 0 for any number
	asStrings int  // numbers kept as strings so far

	depth, deepest, maxDepth int // of the value being read, so far, and allowed
	skipped                  int // the depth of the deepest value that was skipped
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
		otherKeys: o.OtherKeys,

		keepInvalid: o.KeepInvalid,
		end:         int64(len(body)),
		index:       -1,
		keys:        keyMaker{Identity: o.Identity},
		most:        max(o.MaxMessages, 0),
		maxDepth:    limit(o.MaxDepth, DefaultMaxDepth, HighestMaxDepth),
		maxKey:      limit(o.MaxKeyBytes, DefaultMaxKeyBytes, HighestMaxKeyBytes),
		maxString:   limit(o.MaxStringBytes, HighestMaxStringBytes, HighestMaxStringBytes),

		interrupted: o.Interrupted,
	}
	d.text = jsontext.NewDecoder(&d.buffer, strict)
	d.seek(0)
	return d
}

// decode reads the whole body.
func (d *decoder) decode() ([]Message, error) {
	rest := bytes.TrimPrefix(d.body, byteOrderMark)
	if len(bytes.TrimLeft(rest, whitespace)) == 0 {
		return nil, d.fail(EmptyBody, d.end, "the body is empty")
	}
	for _, c := range codings {
		if bytes.HasPrefix(rest, c.magic) {
			return nil, d.fail(MalformedJSON, 0, c.msg)
		}
	}
	from := d.end - int64(len(rest))
	if d.lines {
		return d.lineByLine(from)
	}
	d.seek(from)
	return d.sequence(nil)
}

// seek goes to an offset of the text, outside of all values. A bytes.Buffer is read in place, any other reader would be copied.
func (d *decoder) seek(at int64) {
	d.start = at
	d.yieldedAt = min(d.yieldedAt, at)
	d.buffer = *bytes.NewBuffer(d.body[at:d.end])
	d.text.Reset(&d.buffer, strict)
}

// next returns the offset of the next byte that is no white space. It is false at the end of the text.
func (d *decoder) next() (at int64, ok bool) {
	at = d.read()
	for at < d.end && isSpace(d.body[at]) {
		at++
	}
	return at, at < d.end
}

// read returns how much of the body has been read.
func (d *decoder) read() int64 {
	return d.start + d.text.InputOffset()
}

// offset returns where the next token starts, behind white space and the delimiters that jsontext skips.
func (d *decoder) offset() int64 {
	at := d.read()
	for at < d.end && (isSpace(d.body[at]) || d.body[at] == ',' || d.body[at] == ':') {
		at++
	}
	return at
}
