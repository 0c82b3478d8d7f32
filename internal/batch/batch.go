// Package batch turns the body of a request into messages.
//
// It is the only code of the daemon that is fed by strangers, so it is pure (no I/O, no clock, no globals
// that change), bounded (time and memory grow linearly with the body, memory is charged for, nesting is limited) and
// fuzzed. It knows nothing of HTTP or of libbeat.
//
// # What is accepted
//
// A message is a JSON object. A body holds messages in one of three forms. The first is the batch of rxtx:
//
//	{"uuid": "…", "size": 2, "messages": [{…}, {…}]}
//
// messages is required: an array of objects, or null, which means none. size is optional, and so is a size
// of null; when it is given it must be a number equal to the number of messages, because the sender removes
// that many from its queue on success. JSON has one kind of number, so 2, 2.0 and 2e0 are the same size; the
// string "2" is none. Every other key is passed over, the uuid of the batch too, which rxtx makes anew for each attempt.
// Their values must be well-formed all the same.
//
// The second is an array of messages, which may be empty:
//
//	[{…}, {…}]
//
// The third, which Options.Lines asks for, is NDJSON, one message a line:
//
//	{…}
//	{…}
//
// Lines end with a newline, which the last one may lack. A line that holds only white space is passed over; any other
// holds one message, whole, and nothing else but white space around it, which a carriage return is as well.
//
// # What is refused
//
// The text must be I-JSON (RFC 7493): valid UTF-8, no escape that is half of a surrogate pair, no object with
// the same key twice. Other parsers would repair these in silence. Here a message has to arrive as it was
// sent, and a map cannot hold two values under one key, so they are errors with a position.
//
// # Numbers
//
// What reads the messages afterwards knows int64, uint64 and float64 and nothing else. A number becomes one of
// these only if the same decimal value comes out when it is written again. Any other number becomes a string of
// its exact digits, and is counted. No number is ever rounded.
//
// # What a message weighs
//
// A decoded message is larger than its text, by a factor that depends on what is in it: three for those of rxtx, sixty
// for objects within objects that hold next to nothing. Whoever limits memory by the bytes of bodies would be off by as
// much. So each message has a weight, in bytes: those of its text, or a sixth of what it takes on the heap, together with
// what it is going to take when it is carried further, whichever is more. What is on the heap is reckoned from what
// the decoder makes, by the sizes that Go's maps and allocations have. Six times the weights of all messages that are
// somewhere in the process is therefore a bound for the memory that they take.
//
// Options.Charge is told while a body is being decoded by how much it turns out to be heavier than it is long.
package batch

// Batch is a decoded request body. It shares no memory with the body, but for Message.Raw.
type Batch struct {
	// Messages are in the order of the body. There may be none.
	Messages []Message

	// NumbersAsStrings is how many numbers in the messages had to be kept as strings of their exact digits.
	NumbersAsStrings int
}

// Message is one message of a batch: the whole JSON object as sent, every key it had.
type Message struct {
	// Fields is never nil. A value is a string, bool, nil, int64, uint64, float64, []any or map[string]any,
	// and so are the values within. A number that no Go number holds exactly is a string of its digits as sent.
	Fields map[string]any

	// UUID is the value of the message's own key "uuid" when that is a string, else "".
	UUID string

	// Weight is what the message counts for where memory is limited, in bytes, at least the length of Raw.
	Weight int

	// StoredKey, where it is not zero, is what Key returns. Decode leaves it zero. It spares hashing a message twice, and
	// tells a stored message without a uuid from others.
	StoredKey Key

	// Raw is the message as it was sent, a part of the body. Let go of it soon: it keeps the whole body in memory.
	Raw []byte
}
