// Package outputs finds out which events an output delivered, and which events it gave up.
//
// libbeat acknowledges an event that an output gave up like one that it delivered. Its observer gets the number of events
// that were given up, but not which. So this package wraps libbeat's clients of three outputs. A wrapper calls Reject on
// the Private value of each event that was given up, and only then lets libbeat have the acknowledgement.
//
//   - file (eventClient): the output gets one event at a time, and is done with it when Publish returns. Exact.
//   - elasticsearch (bulkClient): with a dead letter policy the output marks the events that Elasticsearch refused, and hands
//     them back. The wrapper sets that policy and takes the marked events out. Exact, with one request. If the user set a
//     dead letter index, the output sends the marked events there, and reports how many that index refused. If it refused
//     some, all marked events of that request count as given up.
//   - logstash (logstashClient): the output gives up no event. The wrapper connects, waits between attempts, logs, and counts
//     how often the same window is sent again.
//
// rtbeat cannot know which events any other output gave up (Confirms).
//
// The wrappers depend on libbeat's source, as their comments say. test/e2e/output_*_test.go fail when libbeat changes.
package outputs
