package status

import "github.com/txn2/rtbeat/internal/intake"

// Numbers are the state of rtbeat at one time. Totals count since the start of the process. A number that is not known is NaN.
type Numbers struct {
	Phase string // starting, serving, leaving or draining

	ReceivedBytes, ReceivedBatches, ReceivedMessages Number

	Acked        Number // events
	LastAck      Number // in Unix time; 0 before the first
	AckDurations Histogram
	Failures     []intake.Failure
	Sources      []intake.SourceCounts

	InFlight InFlight
	IsHigh   bool // the bytes in flight are near their limit, as /readyz has it
	Output   Output
	Queue    Queue
	Retries  Retries
	Disk     Disk // zero in memory mode

	Displaced         Number // connections
	WindowRepeats     Number
	CertificateExpiry Number // in Unix time; NaN without TLS
	Memory            Number // bytes
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

// Histogram counts observations by their upper bounds.
type Histogram struct {
	Bounds []float64
	Counts []uint64 // cumulative; the last one, beyond all bounds, counts all
}
