// Package batch turns the body of a request into messages.
//
// It reads bytes that anybody may send. So it has no I/O, no clock and no globals that change, and it is fuzzed. Time and memory grow
// linearly with the body. Memory is charged, and nesting is limited. It knows nothing of HTTP or of libbeat.
//
// # What is accepted
//
// A message is a JSON object. A body holds one or more values, with white space between them or nothing: objects, which are messages,
// and arrays of messages. One byte order mark may begin it. In NDJSON (Options.Lines) each value ends on its line: a newline, or the
// end of the body.
//
//	{…}
//	{…}{…} [{…}, {…}]
//
// A body may also be one batch of rxtx, which stands alone. NDJSON has none:
//
//	{"uuid": "…", "size": 2, "messages": [{…}, {…}]}
//
// messages is an array of objects, or null for none. size may be missing or null. Otherwise it must be the number of messages, in
// any form of a JSON number: the sender removes that many messages from its queue after a 200. uuid is ignored: rxtx makes a new one
// for each attempt. An object with another key, or without messages, is a message.
//
// # What is refused
//
// The text must be I-JSON (RFC 7493): valid UTF-8, no escape that is half of a surrogate pair, no object with the same key twice.
// Other parsers repair these in silence. A message has to arrive as it was sent, so they are errors with a position.
//
// With Options.KeepInvalid the other messages of the body are accepted. A message that is not valid comes with its Failure and its
// bytes. They end where the message ends, if that can be told:
//
//   - in an array, at the end of the element, if its brackets, strings and numbers can be read; otherwise the body is refused
//   - elsewhere, at the first line end that does not come before the error
//   - in NDJSON, at the end of the line. An array whose end is not known is one such message: none of its elements counts
//
// Problems of the whole body stay errors. So does an object that may be a batch of rxtx that was cut off.
//
// # Numbers
//
// The pipeline knows int64, uint64 and float64 only. A number becomes one of them if writing it gives the same decimal value.
// Any other number becomes a string of its exact digits, and is counted. No number is rounded.
//
// # Weight
//
// A decoded message takes more memory than its text: three times for messages of rxtx, sixty times for nested objects that
// hold almost nothing. So each message has a weight in bytes: the length of its text, or a sixth of its memory if that is more.
// Its memory is its values on the heap, by the sizes of Go's maps and allocations, and perMessage for the rest of the process.
// Six times the weights of all messages in the process is a bound for their memory.
//
// Options.Charge is called during decoding for the weight beyond the length of the body.
package batch

import "bytes"

// Batch is a decoded request body. Only Message.Raw shares memory with the body.
type Batch struct {
	// Messages are in the order of the body. There may be none.
	Messages []Message

	// NumbersAsStrings is how many numbers in the messages had to be kept as strings of their exact digits.
	NumbersAsStrings int
}

// Message is one message of a batch: the JSON object as sent, with every key.
type Message struct {
	// Fields is never nil. A value is a string, bool, nil, int64, uint64, float64, []any or map[string]any,
	// and so are the values within. A number that no Go number holds exactly is a string of its digits as sent.
	Fields map[string]any

	// ID is the id that the sender gave the message: the text of the first of Identity.Fields that has one, else "".
	ID string

	// Weight is the share of the message in a limit on memory, in bytes. It is at least the length of Raw.
	Weight int

	// Key makes the message known when it is sent again. Zero means that the message is never a retry: two such messages may be
	// equal, and both be meant.
	Key Key

	// Failure says why the message is not valid, if it was kept for Options.KeepInvalid. Its Fields are empty then.
	Failure *Error

	// Raw is the message as it was sent, a part of the body. Call Detach soon: Raw keeps the whole body in memory.
	Raw []byte
}

// MaxOriginal is how many bytes of a message that is not valid are left after Detach. Its event has them.
const MaxOriginal = 32 << 10

// Detach lets go of the body. Raw is nil then. Of a message that is not valid it is a copy of at most MaxOriginal bytes.
func (m *Message) Detach() {
	if m.Failure == nil {
		m.Raw = nil
		return
	}
	m.Raw = bytes.Clone(m.Raw[:min(len(m.Raw), MaxOriginal)])
}
