package status

// Numbers are the state of rtbeat at a moment. Totals count since the start of the process. A number that is not known is NaN.
type Numbers struct {
	Phase string // starting, serving, leaving or draining

	ReceivedBytes, ReceivedBatches, ReceivedMessages Number
	DedupedInFlight, DedupedDelivered, Withdrawn     Number // messages
	Acked, Filtered, Dropped                         Number // events
	LastAck                                          Number // in Unix time; 0 before the first
	Failures                                         []Failure
	AckDurations                                     Histogram

	Bytes, Events, Requests, Connections Bounded // in flight
	IsHigh                               bool    // Bytes are near their limit, as /readyz has it
	BatchesWaiting                       Number  // for a publishing worker
	DedupeEntries                        Bounded
	Displaced                            Number // connections
	OldestSeconds                        Number // the age of the oldest event without an acknowledgement
	IsStalled                            bool
	NoAckSeconds                         Number
	WindowRepeats                        Number

	Libbeat           Libbeat
	Disk              Disk   // zero in memory mode
	CertificateExpiry Number // in Unix time; NaN without TLS
	Memory            Number // bytes
}

// Libbeat are numbers of libbeat's queue and output.
type Libbeat struct {
	QueueEvents                           Bounded
	Retried, Failed, Dropped, WriteErrors Number
}

// Disk is the queue on disk.
type Disk struct {
	Batches, Bytes    Number // stored and not delivered
	OldestSeconds     Number
	Files             Bounded // bytes
	Stored, Delivered Number  // bytes
	Retrying          Number  // batches
	IsFull, HasFailed bool
}

// Failure counts an answer that was no 200, or a failure that has a counter of its own.
type Failure struct {
	What   string // answer, auth or tls
	Code   string // of an answer
	Reason string
	Total  float64
}

// Histogram counts observations by their upper bounds.
type Histogram struct {
	Bounds []float64
	Counts []uint64 // cumulative; the last one, beyond all bounds, counts all
}
