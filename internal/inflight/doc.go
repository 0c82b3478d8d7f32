// Package inflight is the promise as one small state machine: what has been taken in, what of it the output
// has acknowledged, and when nothing of a batch is left in the process.
//
// A batch that was admitted (Admission) gets one token (BatchAck) from the Registry. The token travels with each
// event through the pipeline and comes back with the acknowledgements; the handler waits on it. A 200 rests on
// BatchAck.Wait returning nil, and on nothing else.
//
// The package knows neither HTTP nor libbeat. Its types are safe for use from any goroutine.
package inflight

import "errors"

// Causes for which a batch does not become delivered. Compare with errors.Is.
var (
	// ErrFull says that the in-flight limit leaves no room for what was to be taken in.
	ErrFull = errors.New("in-flight limit reached")
	// ErrDropped says that the pipeline refused an event because it is closing.
	ErrDropped = errors.New("pipeline is closing")
	// ErrUnpublishable says that an event could not be processed.
	ErrUnpublishable = errors.New("an event could not be processed")
	// ErrWithdrawn says that a part of the batch was taken back before the pipeline had it.
	ErrWithdrawn = errors.New("withdrawn before it was published")
	// ErrSealed says that the registry was sealed before the output acknowledged everything.
	ErrSealed = errors.New("stopped before the output acknowledged every event")
)
