package status

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/txn2/rtbeat/internal/intake"
)

// persisted is the ack mode of durable mode.
const persisted = "persisted"

func (f *facts) queueFailedVerdict() Verdict {
	return Verdict{
		State: failedQueue, Level: bad, Fault: intake.ByRtbeat, Title: "Queue failed",
		Text: "The queue on disk cannot be written. rtbeat refuses new batches (503 queue_failed).",
		Advice: []string{
			"rtbeat's log has the error. See whether the disk of rtbeat.durable.path is mounted, writable and sound (dmesg).",
			"Senders keep their batches and send them again. rtbeat delivers the stored batches that it can read.",
		},
	}
}

func (f *facts) queueFullVerdict() Verdict {
	return Verdict{
		State: fullQueue, Level: bad, Fault: intake.ByOutput, Title: "Queue full",
		Text: "The queue on disk has no space. rtbeat refuses new batches (503 queue_full). " + f.stored(),
		Advice: []string{
			"See whether " + f.receiver() + " is up, and as fast as the senders. Delivered batches free space in the queue.",
			"If the files are well below rtbeat.durable.max_bytes, the disk is full: look for other files on it.",
			"Senders keep their batches and send them again. If the disk has space, raise rtbeat.durable.max_bytes and restart: nothing is lost.",
		},
	}
}

func (f *facts) degradedVerdict() Verdict {
	return Verdict{
		State: degraded, Level: warn, Fault: intake.ByOutput, Title: "Degraded", Since: f.at.Add(-f.noAck),
		Text: fmt.Sprintf("The output has acknowledged nothing for %s. Batches are stored, and answered 200. %s", about(f.noAck), f.stored()),
		Advice: []string{
			"See whether " + f.receiver() + " is up, and whether something blocks it: an output of its own that hangs, a full queue, a full disk.",
			"If " + f.receiver() + " is well, look for the output in rtbeat's log: a refused connection, a name that does not resolve, a certificate.",
			"rtbeat delivers the stored batches after the first acknowledgement, without a restart.",
		},
	}
}

func (f *facts) retryingVerdict() Verdict {
	return Verdict{
		State: retrying, Level: warn, Fault: intake.ByOutput, Title: "Retrying",
		Text: fmt.Sprintf("%s tried again and again. Others are delivered meanwhile. %s", counted(f.retrying, "stored batch is", "stored batches are"), f.stored()),
		Advice: []string{
			"rtbeat's log has the number of a batch and the reason (\"a stored batch was not delivered\"): the output gives an event up, or a processor fails on it.",
			"Mend the cause: rtbeat retries within a minute. docs/runbooks.md says how to end a batch.",
		},
	}
}

// stored describes the queue on disk, and when it will be full or empty.
func (f *facts) stored() string {
	d := f.durable
	text := fmt.Sprintf("%s in the queue on disk (%s), the oldest from %s ago. Its files take %.0f %% of rtbeat.durable.max_bytes",
		counted(orZero(d.Batches), "batch is", "batches are"), humanize.IBytes(uint64(max(orZero(d.Bytes), 0))),
		about(seconds(d.OldestSeconds)), orZero(100*d.FileBytes.Value/d.FileBytes.Limit))
	const most = 100 * 365 * 24 * time.Hour // more is no forecast, and no Duration
	switch {
	case f.queueFull > 0 || f.Disk.IsFull: // then there is no rate
	case d.FullInSeconds < Number(most.Seconds()):
		text += fmt.Sprintf(": at this rate it is full in %s", about(seconds(d.FullInSeconds)))
	case d.EmptyInSeconds < Number(most.Seconds()):
		text += fmt.Sprintf(": at this rate it is empty in %s", about(seconds(d.EmptyInSeconds)))
	}
	return text + "."
}
