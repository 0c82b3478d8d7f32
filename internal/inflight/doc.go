// Package inflight keeps rtbeat's promise as one state machine: which batches are in flight, which of their messages the output
// has acknowledged, and when nothing of a batch is left in the process.
//
// A batch that Admission has let in gets a token (BatchAck) from the Registry, and each of its messages gets an EventAck. A
// message that is in flight for another batch gets none: the batch waits for the EventAck of the other. A message that was
// delivered before counts as acknowledged. Publishing workers take batches from the queue (Registry.Take) and their messages
// one by one (BatchAck.Next). The EventAck travels with its event through the pipeline, and comes back with the acknowledgement.
// The handler waits for its token. A 200 rests on BatchAck.Await returning nil, and on nothing else.
//
// A message that no worker has taken is published only while a batch waits for it.
//
// The package knows neither HTTP nor libbeat. The lock of the Registry guards all of its state, so each call is one step of the
// machine. Types are safe for use from any goroutine.
package inflight
