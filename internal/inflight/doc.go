// Package inflight is the promise as one small state machine: what has been taken in, which batches wait for it, what
// of it the output has acknowledged, and when nothing of a batch is left in the process.
//
// A batch that was admitted (Admission) gets a token (BatchAck) from the Registry; each of its messages gets an
// EventAck, unless the message is known already: then the batch waits for the EventAck of the batch that brought it
// first, or counts it as delivered. Publishing workers take batches from the line (Registry.Take) and their messages
// one by one (BatchAck.Next). The EventAck travels with its event through the pipeline and comes back with the
// acknowledgement; the handler waits on its token. A 200 rests on BatchAck.Await returning nil, and on nothing else.
//
// A message that no worker has taken yet is published only as long as somebody waits for it.
//
// The package knows neither HTTP nor libbeat. One lock, that of the Registry, guards all of the state, so that each call
// is one step of the machine. Its types are safe for use from any goroutine.
package inflight

import (
	"errors"
	"time"
)

// Causes for which a batch is not taken, or does not become delivered. Compare with errors.Is.
var (
	// ErrFull says that the in-flight limit leaves no room now for what was to be taken in.
	ErrFull = errors.New("in-flight limit reached")
	// ErrTooLarge says that the in-flight limit has no room for the batch, whatever else is in flight.
	ErrTooLarge = errors.New("larger than the in-flight limit")
	// ErrDropped says that the pipeline refused an event because it is closing.
	ErrDropped = errors.New("pipeline is closing")
	// ErrUnpublishable says that an event could not be processed.
	ErrUnpublishable = errors.New("an event could not be processed")
	// ErrJoinedFiltered says that a message of the batch was in flight for another batch, and that a processor dropped
	// it there. The processors have not seen the request of this batch.
	ErrJoinedFiltered = errors.New("a processor dropped a message that was in flight for another request")
	// ErrRejected says that the output is done with every message of the batch, and has given some of them up.
	ErrRejected = errors.New("the output gave messages up")
	// ErrWithdrawn says that a part of the batch was taken back before the pipeline had it.
	ErrWithdrawn = errors.New("withdrawn before it was published")
	// ErrSealed says that the registry was sealed before the output acknowledged everything.
	ErrSealed = errors.New("stopped before the output acknowledged every event")
)

// ProcessorError says that a processor failed on an event of the batch. Processor is its name in the configuration.
type ProcessorError struct{ Processor string }

func (e *ProcessorError) Error() string { return "processor " + e.Processor + " failed" }

// StalledError says that the output acknowledges nothing, and that the batch has messages which are not in flight yet.
type StalledError struct {
	Age time.Duration // of the stall
}

func (e *StalledError) Error() string { return "output stalled" }
