// Package batch turns the body of a request into messages.
//
// It is the only code of the daemon that is fed by strangers, so it is pure (no I/O, no clock, no globals
// that change), bounded (time and memory grow linearly with the body, nesting is limited) and fuzzed. It
// knows nothing of HTTP or of libbeat.
//
// # What is accepted
//
// A body is one JSON object, the batch of rxtx:
//
//	{"uuid": "…", "size": 2, "messages": [{…}, {…}]}
//
// messages is required: an array of objects, or null, which means none. size is optional, and so is a size
// of null; when it is given it must be a number equal to the number of messages, because the sender removes
// that many from its queue on success. JSON has one kind of number, so 2, 2.0 and 2e0 are the same size; the
// string "2" is none. Every other key is passed over, the uuid of the batch too, which rxtx makes anew for each attempt.
// Their values must be well-formed all the same.
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
package batch

// MaxDepth is how many levels of objects and arrays a message may have, counting the message itself as the
// first. The values of keys that are passed over have the same limit.
//
// Real messages have fewer than ten levels. What reads them afterwards walks them recursively and has limits
// of its own: 20 levels for a field in Elasticsearch by default, 1,000 for the JSON parser of Logstash. 128 is
// above any sane message and far below what would hurt a stack.
const MaxDepth = 128

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

	// Raw is the message as it was sent, a part of the body. Let go of it soon: it keeps the whole body in memory.
	Raw []byte
}
