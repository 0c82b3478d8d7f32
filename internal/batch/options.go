package batch

// DefaultMaxDepth is how many levels of objects and arrays a message may have unless Options say otherwise, counting the
// message itself as the first. The values of ignored keys have the same limit.
//
// Real messages have fewer than ten levels. Later readers are recursive and have their own limits: by default 20 levels
// for a field in Elasticsearch, 1,000 for the JSON parser of Logstash.
const DefaultMaxDepth = 128

// HighestMaxDepth is the most that Options.MaxDepth may ask for. Logstash's JSON parser reads 1,000 levels. It closes the
// connection at an event with more, and libbeat sends that event again for ever. The event adds one level to the message; the
// other nine are for processors. Here, 1,000 levels take a quarter of a megabyte of stack, and twice that while the stack
// grows. Options.Charge is called for it.
const HighestMaxDepth = 990

// Limits on the length of keys and strings, in bytes of UTF-8 without escapes. Logstash's JSON parser closes the connection
// at an event beyond its own limits, and libbeat sends that event again for ever.
const (
	// DefaultMaxKeyBytes holds unless Options say otherwise.
	DefaultMaxKeyBytes = 32 << 10

	// HighestMaxKeyBytes is the most that Options.MaxKeyBytes may ask for. Jackson, Logstash's parser, reads keys of up to
	// 50,000 bytes (StreamReadConstraints, maxNameLength), and Logstash leaves it at that.
	HighestMaxKeyBytes = 50_000

	// HighestMaxStringBytes is the most that Options.MaxStringBytes may ask for, and the default. It is the limit of Logstash
	// 8.9 to 8.12, which counts characters. A string has no more characters than bytes. Later versions read strings ten
	// times as long.
	HighestMaxStringBytes = 20_000_000
)

// Options say how to read a body. The zero value reads a JSON text of any number of messages, with DefaultMaxDepth,
// DefaultMaxKeyBytes and HighestMaxStringBytes.
type Options struct {
	// Lines says that the body is NDJSON, one message a line, instead of one JSON text.
	Lines bool

	// MaxMessages is how many messages a batch may have; 0 means any number. Decode stops where one more begins.
	MaxMessages int

	// MaxDepth is how many levels of objects and arrays a message may have, counting the message itself as the first. 0
	// means DefaultMaxDepth, and more than HighestMaxDepth means HighestMaxDepth.
	MaxDepth int

	// MaxKeyBytes is the longest object key that a message may have, in bytes of UTF-8 without escapes. 0 means
	// DefaultMaxKeyBytes. More than HighestMaxKeyBytes means HighestMaxKeyBytes.
	MaxKeyBytes int

	// MaxStringBytes is the longest string that a message may have, in bytes of UTF-8 without escapes. It limits the digits of
	// a number that becomes a string, too. 0 means HighestMaxStringBytes, and so does more.
	MaxStringBytes int

	// Charge, unless nil, is called for the weight of the decoded values beyond the bytes that they were decoded from. bytes
	// is the growth since the last call. The caller has reserved the body itself. Ordinary messages weigh no more than
	// their bytes: for them Charge is never called.
	//
	// Each call is for at least 32 KiB, except for the last one. When Decode succeeds, the length of the body and all charges
	// together are at least the weights of the messages. They may be more: memory in use for a while is charged as well.
	//
	// When it returns an error, Decode stops and returns that error unchanged.
	Charge func(bytes int64) error

	// Interrupted, unless nil, is called every 32 KiB or so, to stop when nobody waits for the batch. When it returns an
	// error, Decode stops and returns that error unchanged.
	Interrupted func() error
}

// depth returns the limit that MaxDepth stands for.
func (o Options) depth() int {
	if o.MaxDepth <= 0 {
		return DefaultMaxDepth
	}
	return min(o.MaxDepth, HighestMaxDepth)
}

// keyBytes returns the limit that MaxKeyBytes stands for.
func (o Options) keyBytes() int {
	if o.MaxKeyBytes <= 0 {
		return DefaultMaxKeyBytes
	}
	return min(o.MaxKeyBytes, HighestMaxKeyBytes)
}

// stringBytes returns the limit that MaxStringBytes stands for.
func (o Options) stringBytes() int {
	if o.MaxStringBytes <= 0 {
		return HighestMaxStringBytes
	}
	return min(o.MaxStringBytes, HighestMaxStringBytes)
}
