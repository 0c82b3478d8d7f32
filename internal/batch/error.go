package batch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Reason says why a body was refused. It is a fixed text, fit for a metric label.
type Reason string

// The reasons. All of them mean that sending the same bytes again will fail again.
const (
	EmptyBody     Reason = "empty_body"     // no bytes, or only white space
	MalformedJSON Reason = "malformed_json" // not JSON, or not I-JSON
	TooDeep       Reason = "too_deep"       // nested deeper than Options.MaxDepth
	WrongShape    Reason = "wrong_shape"    // JSON, but not a batch
	SizeMismatch  Reason = "size_mismatch"  // a batch whose size is not its number of messages

	KeyTooLong    Reason = "key_too_long"    // a key of a message longer than Options.MaxKeyBytes
	StringTooLong Reason = "string_too_long" // a string of a message longer than Options.MaxStringBytes

	TooManyMessages Reason = "too_many_messages" // more than Options.MaxMessages
)

// Error is the only kind of error that Decode makes. It never holds bytes of the body, so a sender and the log may get it.
// The only value that it repeats is a size that is a number, written anew.
//
// Decode reports the first problem in reading order, with two exceptions. A value of the wrong shape, or of a repeated key,
// is read to its end first: text that is not JSON is always called malformed. Problems of the whole body (no messages,
// another size) come last.
type Error struct {
	// Reason says what kind of problem it is.
	Reason Reason

	// Offset counts the bytes of the body before the wrong byte:
	//   - a byte that JSON does not allow there, the backslash of a bad escape, the bracket that nests too deep
	//   - the quote that opens a repeated or too long key
	//   - the first byte of a value that has the wrong shape or is too long, or of the first message beyond the limit
	//   - the length of the body, if it ends too soon or is empty; the newline, if a line ends too soon
	Offset int64

	// Index is the message with the problem, counting from 0; -1 for a problem outside of all messages.
	Index int

	// Line is the line of Offset, counting from 1, when the body is NDJSON; otherwise 0.
	Line int

	// Msg says what is wrong, without the position.
	Msg string
}

// The phrases of Msg for malformed JSON.
const (
	msgTruncated = "the JSON text ends too soon"
	msgBOM       = "a byte order mark, which only the body may begin with"
	msgUTF8      = "invalid UTF-8"
	msgControl   = "a control character that is not escaped"
	msgEscape    = "an invalid escape, or half of a surrogate pair"
	msgName      = "an object key that is no string"
	msgDuplicate = "an object has the same key twice"
	msgTrailing  = "data after the end of the JSON value"
	msgCharacter = "unexpected character"

	// With a hint for the sender.
	msgLineEnds = "the line ends before its JSON value does"
	msgNaN      = "NaN and Infinity are no numbers of JSON; null can stand for them"
	msgAmong    = "a batch among other values; it must stand alone"
)

// codings are the beginnings of bodies that lack their Content-Encoding.
var codings = []struct {
	magic []byte
	msg   string
}{
	{[]byte("\x1f\x8b"), "the body is gzip data, which Content-Encoding must say"},
	{[]byte("\x28\xb5\x2f\xfd"), "the body is zstd data, which Content-Encoding must say"},
}

// Error returns the position and the message in one line.
func (e *Error) Error() string {
	switch {
	case e.Reason == EmptyBody:
		return e.Msg
	case e.Index < 0:
		return fmt.Sprintf("byte %d: %s", e.Offset, e.Msg)
	case e.Line > 0:
		return fmt.Sprintf("byte %d, line %d, message %d: %s", e.Offset, e.Line, e.Index, e.Msg)
	default:
		return fmt.Sprintf("byte %d, message %d: %s", e.Offset, e.Index, e.Msg)
	}
}

// fail makes the error for a problem at offset, in the message being read.
func (d *decoder) fail(reason Reason, offset int64, msg string) error {
	e := &Error{Reason: reason, Offset: offset, Index: d.index, Msg: msg}
	if d.lines && reason != EmptyBody {
		e.Line = d.line(offset)
	}
	return e
}

// line returns the number of the line at an offset. It counts from the last error: there may be many.
func (d *decoder) line(offset int64) int {
	if offset >= d.lineAt {
		d.lineNumber += int64(bytes.Count(d.body[d.lineAt:offset], newline))
	} else {
		d.lineNumber -= int64(bytes.Count(d.body[offset:d.lineAt], newline))
	}
	d.lineAt = offset
	return int(d.lineNumber) + 1
}

var newline = []byte("\n")

// malformed translates an error of jsontext. That error quotes the body, so malformed takes only its position. The phrase
// comes from the byte at that position. Each phrase is true of its byte, both in a string and between values.
func (d *decoder) malformed(err error) error {
	offset := d.end
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF) {
		offset = min(d.start+syntax.ByteOffset, offset)
	}
	if errors.Is(err, jsontext.ErrNonStringName) {
		return d.fail(MalformedJSON, offset, msgName)
	}
	return d.unexpected(offset)
}

// unexpected makes the error for a byte at an offset that JSON does not allow there, or for the end of the text.
func (d *decoder) unexpected(offset int64) error {
	rest := d.body[offset:d.end]

	msg := msgCharacter
	switch r, n := utf8.DecodeRune(rest); {
	case len(rest) == 0 && d.end < int64(len(d.body)):
		msg = msgLineEnds
	case len(rest) == 0:
		msg = msgTruncated
	case bytes.HasPrefix(rest, byteOrderMark):
		msg = msgBOM
	case bytes.HasPrefix(rest, []byte("NaN")), bytes.HasPrefix(rest, []byte("Infinity")):
		msg = msgNaN
	case r == utf8.RuneError && n == 1:
		msg = msgUTF8
	case r < ' ':
		msg = msgControl
	case r == '\\':
		msg = msgEscape
	}
	return d.fail(MalformedJSON, offset, msg)
}
