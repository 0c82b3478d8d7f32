package batch

// The limits of a message. Logstash's JSON parser, Jackson, closes the connection at an event beyond its own limits, and libbeat
// sends that event again for ever. So no option may exceed them.
const (
	// DefaultMaxDepth holds unless Options say otherwise. Real messages have fewer than ten levels.
	DefaultMaxDepth = 128

	// HighestMaxDepth is the most that Options.MaxDepth may ask for. Jackson reads 1,000 levels. The event adds one level to the
	// message; the other nine are for processors. 1,000 levels take a quarter of a megabyte of stack here, and twice that while
	// the stack grows. Options.Charge is called for it.
	HighestMaxDepth = 990

	// DefaultMaxKeyBytes holds unless Options say otherwise.
	DefaultMaxKeyBytes = 32 << 10

	// HighestMaxKeyBytes is the most that Options.MaxKeyBytes may ask for (StreamReadConstraints of Jackson, maxNameLength).
	HighestMaxKeyBytes = 50_000

	// HighestMaxStringBytes is the most that Options.MaxStringBytes may ask for, and the default. Logstash 8.9 to 8.12 reads as
	// many characters, and a string has at most one for each byte. Later versions read strings ten times as long.
	HighestMaxStringBytes = 20_000_000
)

// Options say how to read a body. The zero value reads a JSON text of any number of messages, with the default limits. A limit
// above the highest counts as the highest.
type Options struct {
	// Lines says that the body is NDJSON: each value ends on its line, and no object is a batch.
	Lines bool

	// KeepInvalid keeps a message that is not valid, with its Failure, instead of refusing the body.
	KeepInvalid bool

	// OtherKeys lets a batch have other keys beside messages, size and uuid, and ignores them. Earlier versions did.
	OtherKeys bool

	// Identity says which keys the messages get.
	Identity Identity

	// MaxMessages is how many messages a batch may have; 0 means any number. Decode stops where one more begins.
	MaxMessages int

	// MaxDepth is how many levels of objects and arrays a message may have. The message itself is the first level. Values of
	// ignored keys have the same limit. 0 means DefaultMaxDepth.
	MaxDepth int

	// MaxKeyBytes is the longest object key that a message may have, in bytes of UTF-8 without escapes. 0 means
	// DefaultMaxKeyBytes.
	MaxKeyBytes int

	// MaxStringBytes is the longest string that a message may have, in bytes of UTF-8 without escapes. It limits the digits of
	// a number that becomes a string, too. 0 means HighestMaxStringBytes.
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

// limit returns n, at most highest, or usual if n is not set.
func limit(n, usual, highest int) int {
	if n <= 0 {
		return usual
	}
	return min(n, highest)
}
