// Package outputs finds out which events an output delivered, and which it gave up.
//
// libbeat acknowledges both: what an output drops, because the other side refuses it, because it cannot be encoded, or
// because a disk is full, comes back like what was delivered. An output reports no more than a number of dropped events to
// its observer. So each output but Logstash's, which drops nothing, gets a wrapper around its clients. It looks at what
// the output does with each batch, says Reject to what travels with the events that were given up, and only then lets
// libbeat have the acknowledgement.
//
// How it comes to know which events those are depends on the output:
//
//   - file and console (oneByOne): each event is a batch of its own, and they are done when Publish returns. Exact. What the
//     console output has in its buffer is written out, and looked at, before it counts.
//   - kafka: each event is a batch of its own, and the stack says which of the client's goroutines ends it. Exact.
//   - redis (together): events that cannot be encoded, or have no key, are found before the output sees them. Exact.
//   - elasticsearch: with a dead letter policy the output marks the events that the store refused and hands them back. The
//     wrapper sets that policy and takes the marked events out. Exact, with one request. With a dead letter index of the
//     user's the output keeps the marked events, and reports how many of them that index refused. If it refused some, all
//     marked events of that request count as given up.
//
// The output for Logstash has a wrapper of another kind (logstash), which gives up nothing. It connects, waits between
// attempts, logs that, and counts how often the same window is sent again (repeats).
//
// What is known here of the insides of the outputs is held by the tests in test/e2e/output_*_test.go.
package outputs
