package publish

// NewFailures returns a function that counts a failure of a processor.
func NewFailures(log Logger) func(processor string) { return newFailures(log).add }
