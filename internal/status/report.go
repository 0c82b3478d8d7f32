package status

import (
	"math"
	"slices"
	"time"

	"github.com/txn2/rtbeat/internal/effective"
)

// schema is the version of the shape of Report. Fields may be added under the same one.
const schema = 1

// Report is what /status.json holds; docs/status.md describes it. Numbers that are not known are null. Totals count since
// the start of the process, rates are those of the last 15 seconds, times are in UTC.
type Report struct {
	Schema  int       `json:"schema"`
	Now     time.Time `json:"now"`
	Verdict Verdict   `json:"verdict"`
	Changes []Change  `json:"changes"`

	Instance Instance `json:"instance"`
	Received Received `json:"received"`
	InFlight InFlight `json:"in_flight"`
	Acked    Acked    `json:"acked"`
	Output   Output   `json:"output"`
	Queue    Queue    `json:"queue"`
	Durable  *Durable `json:"durable"` // null in memory mode
	Retries  Retries  `json:"retries"`
	Errors   []Error  `json:"errors"`
	History  History  `json:"history"`

	Configuration []effective.Setting `json:"configuration"` // null where it is withheld
}

// Change is a moment at which the verdict became another one, the newest first.
type Change struct {
	At    time.Time `json:"at"`
	State state     `json:"state"`
}

// Instance is the process.
type Instance struct {
	Version        string    `json:"version"`
	Commit         string    `json:"commit"`
	LibbeatVersion string    `json:"libbeat_version"`
	GoVersion      string    `json:"go_version"`
	Started        time.Time `json:"started"`
	UptimeSeconds  float64   `json:"uptime_seconds"`
	Phase          string    `json:"phase"`
	AckMode        string    `json:"ack_mode"`
	MemoryBytes    Number    `json:"memory_bytes"`

	CertificateExpires *time.Time `json:"certificate_expires"`
}

// Received is what came in.
type Received struct {
	BytesTotal        Number `json:"bytes_total"`
	BatchesTotal      Number `json:"batches_total"`
	MessagesTotal     Number `json:"messages_total"`
	BytesPerSecond    Number `json:"bytes_per_second"`
	BatchesPerSecond  Number `json:"batches_per_second"`
	MessagesPerSecond Number `json:"messages_per_second"`
}

// Bounded is a number and its limit.
type Bounded struct {
	Value Number `json:"value"`
	Limit Number `json:"limit"`
}

// InFlight is what was taken in and is not done with.
type InFlight struct {
	Bytes       Bounded `json:"bytes"`
	Events      Bounded `json:"events"`
	Requests    Bounded `json:"requests"`
	Connections Bounded `json:"connections"`
}

// Acked is what the output acknowledged.
type Acked struct {
	EventsTotal     Number     `json:"events_total"`
	EventsPerSecond Number     `json:"events_per_second"`
	P50Seconds      Number     `json:"p50_seconds"` // from the end of a body to the 200, over the last minute
	P99Seconds      Number     `json:"p99_seconds"`
	Last            *time.Time `json:"last"`
}

// Output is how the output does.
type Output struct {
	Stalled                     *bool  `json:"stalled"`
	NoAckSeconds                Number `json:"no_ack_seconds"`
	OldestUnacknowledgedSeconds Number `json:"oldest_unacknowledged_seconds"`
	RetriedTotal                Number `json:"retried_total"`
	FailedTotal                 Number `json:"failed_total"`
	DroppedTotal                Number `json:"dropped_total"`
	WriteErrorsTotal            Number `json:"write_errors_total"`
}

// Queue is libbeat's, and the line before it.
type Queue struct {
	Events         Bounded `json:"events"`
	BatchesWaiting Number  `json:"batches_waiting"`
}

// Durable is the queue on disk.
type Durable struct {
	Batches                 Number  `json:"batches"`
	Bytes                   Number  `json:"bytes"` // of those
	OldestSeconds           Number  `json:"oldest_seconds"`
	FileBytes               Bounded `json:"file_bytes"`
	RetryingBatches         Number  `json:"retrying_batches"`
	StoredBytesPerSecond    Number  `json:"stored_bytes_per_second"`
	DeliveredBytesPerSecond Number  `json:"delivered_bytes_per_second"`
	FullInSeconds           Number  `json:"full_in_seconds"`  // at the rates of the last minute; null where it does not fill
	EmptyInSeconds          Number  `json:"empty_in_seconds"` // the same; null where it does not drain
}

// Retries is what is known of messages that come again, and what became of some.
type Retries struct {
	Entries              Bounded `json:"entries"`
	JoinedInFlightTotal  Number  `json:"joined_in_flight_total"`
	JoinedDeliveredTotal Number  `json:"joined_delivered_total"`
	FilteredTotal        Number  `json:"filtered_total"`
	WithdrawnTotal       Number  `json:"withdrawn_total"`
	DroppedTotal         Number  `json:"dropped_total"`
}

// Error is a kind of error that has happened, the latest first.
type Error struct {
	What     string    `json:"what"`
	Code     string    `json:"code"`
	Reason   string    `json:"reason"`
	Fault    fault     `json:"fault"`
	Total    float64   `json:"total"`
	Recent   float64   `json:"recent"` // in the 15 minutes of History
	LastSeen time.Time `json:"last_seen"`
}

// History is the last 15 minutes, the oldest first: a value for each interval, null where it is not known or there was
// nothing to measure.
type History struct {
	IntervalSeconds   float64  `json:"interval_seconds"`
	Points            int      `json:"points"` // when the lists are full
	MessagesPerSecond []Number `json:"messages_per_second"`
	AckedPerSecond    []Number `json:"acked_per_second"`
	P50Seconds        []Number `json:"p50_seconds"`
	P99Seconds        []Number `json:"p99_seconds"`
	InFlightBytes     []Number `json:"in_flight_bytes"`
	InFlightEvents    []Number `json:"in_flight_events"`
}

// What rates and quantiles are made over: rates are to show an end at once, and quantiles need some to be made of.
const (
	forRates     = 15 * time.Second
	forQuantiles = time.Minute
	forForecasts = time.Minute // an outage shows in it soon
)

// compose makes a report of the newest sample. The caller holds the lock.
func (r *recorder) compose() *Report {
	s := r.newest
	from, fromMinute := r.window.before(s.at, forRates), r.window.before(s.at, forQuantiles)
	n := func(i reading) Number { return Number(s.values[i]) }
	perSecond := func(i reading) Number { return Number(rate(from, s, i)) }
	report := &Report{
		Schema:  schema,
		Now:     s.at.UTC(),
		Verdict: r.verdict,
		Instance: Instance{
			Version: r.words.version, Commit: r.words.commit,
			LibbeatVersion: r.words.libbeatVersion, GoVersion: r.words.runtime,
			Started: r.started.UTC(), UptimeSeconds: s.at.Sub(r.started).Truncate(time.Second).Seconds(),
			Phase: r.words.phase, AckMode: r.words.ackMode, MemoryBytes: n(memory),
			CertificateExpires: timeOf(s.values[certificateExpiry]),
		},
		Received: Received{
			n(receivedBytes), n(receivedBatches), n(receivedMessages),
			perSecond(receivedBytes), perSecond(receivedBatches), perSecond(receivedMessages),
		},
		InFlight: InFlight{
			Bytes: Bounded{n(bytesInFlight), n(bytesLimit)}, Events: Bounded{n(eventsInFlight), n(eventsLimit)},
			Requests: Bounded{n(requests), n(requestsLimit)}, Connections: Bounded{n(connections), n(connectionsLimit)},
		},
		Acked: Acked{
			EventsTotal: n(acked), EventsPerSecond: perSecond(acked),
			P50Seconds: Number(quantile(median, r.bounds, fromMinute, s)), P99Seconds: Number(quantile(slowest, r.bounds, fromMinute, s)),
			Last: timeOf(s.values[lastAck]),
		},
		Output: Output{
			NoAckSeconds: n(noAckSeconds), OldestUnacknowledgedSeconds: n(oldestSeconds),
			RetriedTotal: n(outputRetried), FailedTotal: n(outputFailed), DroppedTotal: n(outputDropped), WriteErrorsTotal: n(outputWriteErrors),
		},
		Queue: Queue{Events: Bounded{n(queueEvents), n(queueLimit)}, BatchesWaiting: n(batchesWaiting)},
		Retries: Retries{
			Bounded{n(dedupeEntries), n(dedupeLimit)},
			n(joinedInFlight), n(joinedDelivered),
			n(filtered), n(withdrawn), n(dropped),
		},
		Errors:        r.composeErrors(),
		History:       r.composeHistory(),
		Configuration: r.settings.Configuration,
	}
	if r.words.ackMode == persisted {
		d := r.disk()
		report.Durable = &d
	}
	if v := s.values[stalled]; !math.IsNaN(v) {
		is := v == 1
		report.Output.Stalled = &is
	}
	report.Verdict.Since = report.Verdict.Since.UTC()
	report.Changes = make([]Change, 0, len(r.changes))
	for _, c := range slices.Backward(r.changes) {
		report.Changes = append(report.Changes, Change{c.at.UTC(), c.state})
	}
	return report
}

// filesByBatches is how many bytes the files grow by one byte of a batch: 1.3 with bodies of 30 kB, and 1.5 to 1.6 with
// smaller ones. The alert on a queue that fills takes the same.
const filesByBatches = 1.5

// disk is the queue on disk, as the newest sample has it.
func (r *recorder) disk() Durable {
	s := r.newest
	n := func(i reading) Number { return Number(s.values[i]) }
	from, fromLong := r.window.before(s.at, forRates), r.window.before(s.at, forForecasts)
	d := Durable{
		Batches: n(diskBatches), Bytes: n(diskBytes), OldestSeconds: n(diskOldest),
		FileBytes: Bounded{n(diskFiles), n(diskFilesLimit)}, RetryingBatches: n(diskRetrying),
		StoredBytesPerSecond: Number(rate(from, s, diskStored)), DeliveredBytesPerSecond: Number(rate(from, s, diskDelivered)),
		FullInSeconds: Number(math.NaN()), EmptyInSeconds: Number(math.NaN()),
	}
	fills := Number(rate(fromLong, s, diskStored) - rate(fromLong, s, diskDelivered))
	if fills > 0 {
		d.FullInSeconds = max(d.FileBytes.Limit-d.FileBytes.Value, 0) / (fills * filesByBatches)
	}
	if fills < 0 {
		d.EmptyInSeconds = d.Bytes / -fills
	}
	return d
}

const (
	median  = 0.5
	slowest = 0.99
)

func (r *recorder) composeErrors() []Error {
	oldest := r.window.at(r.window.n - 1)
	errors := make([]Error, 0, len(r.kinds))
	for i, k := range r.kinds {
		e := Error{
			What: k.what, Code: k.code, Reason: k.reason, Fault: faultOf(k),
			Total: r.newest.errors[i], Recent: r.newest.errors[i], LastSeen: r.seen[i].UTC(),
		}
		if oldest != nil {
			e.Recent -= oldest.errors[i]
		}
		errors = append(errors, e)
	}
	sortByLastSeen(errors)
	return errors
}

func (r *recorder) composeHistory() History {
	n := max(r.window.n-1, 0)
	h := History{
		IntervalSeconds: interval.Seconds(), Points: points,
		MessagesPerSecond: make([]Number, 0, n), AckedPerSecond: make([]Number, 0, n),
		P50Seconds: make([]Number, 0, n), P99Seconds: make([]Number, 0, n),
		InFlightBytes: make([]Number, 0, n), InFlightEvents: make([]Number, 0, n),
	}
	for back := n - 1; back >= 0; back-- {
		from, to := r.window.at(back+1), r.window.at(back)
		h.MessagesPerSecond = append(h.MessagesPerSecond, Number(rate(from, to, receivedMessages)))
		h.AckedPerSecond = append(h.AckedPerSecond, Number(rate(from, to, acked)))
		h.P50Seconds = append(h.P50Seconds, Number(quantile(median, r.bounds, from, to)))
		h.P99Seconds = append(h.P99Seconds, Number(quantile(slowest, r.bounds, from, to)))
		h.InFlightBytes = append(h.InFlightBytes, Number(to.values[bytesInFlight]))
		h.InFlightEvents = append(h.InFlightEvents, Number(to.values[eventsInFlight]))
	}
	return h
}

func timeOf(unix float64) *time.Time {
	at := moment(unix)
	if at.IsZero() {
		return nil
	}
	return &at
}
