package batch

// DefaultMaxDepth is how many levels of objects and arrays a message may have unless Options say otherwise, counting the
// message itself as the first. The values of keys that are passed over have the same limit.
//
// Real messages have fewer than ten levels. What reads them afterwards walks them recursively and has limits
// of its own: 20 levels for a field in Elasticsearch by default, 1,000 for the JSON parser of Logstash. 128 is
// above any sane message.
const DefaultMaxDepth = 128

// HighestMaxDepth is the most that Options.MaxDepth may ask for. A message is read, copied and written by recursion, here
// and by whatever comes after. Here 1,000 levels take a quarter of a megabyte of stack, twice that while it grows, which is
// charged for. Beyond that Logstash would refuse the event anyway, long after its sender has been told that it is fine.
const HighestMaxDepth = 1000

// Options say how to read a body. The zero value reads a JSON text of any number of messages, with DefaultMaxDepth.
type Options struct {
	// Lines is whether the body is NDJSON, one message a line, instead of one JSON text.
	Lines bool

	// MaxMessages is how many messages a batch may have; 0 means any number. Decode stops where one more begins.
	MaxMessages int

	// MaxDepth is how many levels of objects and arrays a message may have, counting the message itself as the first. 0
	// means DefaultMaxDepth, and more than HighestMaxDepth means HighestMaxDepth.
	MaxDepth int

	// Charge, if there is one, is asked for memory while it is being used: bytes is by how much the weight of what has been
	// decoded goes further beyond the bytes it was decoded from. That the body itself has been paid for is taken for
	// granted. Ordinary messages weigh no more than their bytes, and then it is never called.
	//
	// It is called in steps of at least 32 KiB, and once more at the end for what is left. When Decode succeeds, the length
	// of the body and all charges together are no less than the weights of the messages. They may be more, because
	// memory that is needed only for a while is charged for as well.
	//
	// When it returns an error, Decode stops and returns that error as it is.
	Charge func(bytes int64) error

	// Interrupted, if there is one, is looked at every 32 KiB or so: nobody may want the batch any more. When it returns
	// an error, Decode stops and returns that error as it is.
	Interrupted func() error
}

// depth returns the limit that MaxDepth stands for.
func (o Options) depth() int {
	if o.MaxDepth <= 0 {
		return DefaultMaxDepth
	}
	return min(o.MaxDepth, HighestMaxDepth)
}
