// Package persist makes events safe for libbeat's disk queue.
//
// The disk queue writes events as CBOR with go-structform, and what it reads back is not always what was written:
//
//   - Negative integers that need the top bit of their 1, 2 or 4 bytes come back as other numbers: the parser
//     narrows the bytes to a signed integer of the same width (stepNeg in cborl/parse.go).
//   - An object with an empty key cannot be read at all (errEmptyKey), and the reader drops the rest of the segment
//     with it: events of other senders, already acknowledged.
//   - A value of a type that the encoder does not know, or an event larger than a segment, is refused by the queue
//     after the client counted it as published, so that later acknowledgements land on the wrong event.
//
// Fit answers the first by carrying such an integer as a float64, which holds it exactly, and the others with an
// error, before anything is published.
package persist

import "fmt"

// MaxDepth is how many levels of objects and arrays fit. It bounds the recursion. A message has batch.HighestMaxDepth at
// most, and lies a level down in its event.
const MaxDepth = 1024

// Reason says why a value cannot be carried.
type Reason string

// The reasons.
const (
	EmptyKey    Reason = "an object has an empty key"
	UnknownType Reason = "a value has a type that cannot be written"
	TooDeep     Reason = "objects and arrays are nested too deeply"
)

// Error says that a message cannot be carried by the disk queue. It quotes nothing of the message.
type Error struct {
	Reason Reason
	// Level is how many objects and arrays surround the place, 1 for the message itself.
	Level int
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s (on level %d): the disk queue cannot carry that", e.Reason, e.Level)
}

// Report is what Fit found.
type Report struct {
	// Changed is how many integers became a float64.
	Changed int
	// Size is how many bytes the fields take in the queue, without what surrounds them there (Overhead).
	Size int
}

// Overhead bounds what the queue adds to the fields of an event: the names and heads of its parts, and the frame.
const Overhead = 128

// Fit returns fields as the disk queue can carry them. fields itself is returned when nothing has to change; nothing
// of it is ever written to, and what changes is copied, for libbeat shares maps between events. The time it takes is
// linear in the size of fields.
//
// The values are those of package batch and whatever processors make of them: strings, booleans, numbers of any
// width, slices, maps with string keys, times. Every error is an *Error.
func Fit(fields map[string]any) (map[string]any, Report, error) {
	var w walk
	fitted, err := w.object(fields, 1)
	if err != nil {
		return nil, Report{}, err
	}
	return fitted, w.Report, nil
}
