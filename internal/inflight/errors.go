package inflight

import (
	"errors"
	"time"
)

// Causes for which a batch is refused, or is not delivered. Compare with errors.Is.
var (
	// ErrFull says that the in-flight limit has no space now.
	ErrFull = errors.New("in-flight limit reached")
	// ErrTooLarge says that the batch is larger than the whole in-flight limit.
	ErrTooLarge = errors.New("larger than the in-flight limit")
	// ErrDropped says that the pipeline refused an event because it is closing.
	ErrDropped = errors.New("pipeline is closing")
	// ErrUnpublishable says that an event could not be processed.
	ErrUnpublishable = errors.New("an event could not be processed")
	// ErrJoinedFiltered says that a message of the batch was in flight for another batch, and that a processor dropped it
	// there. The processors have not seen the request of this batch.
	ErrJoinedFiltered = errors.New("a processor dropped a message that was in flight for another request")
	// ErrRejected says that the output is done with every message of the batch, and has given some of them up.
	ErrRejected = errors.New("the output gave messages up")
	// ErrWithdrawn says that messages of the batch were withdrawn before the pipeline had them.
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
