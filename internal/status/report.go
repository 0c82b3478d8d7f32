package status

import (
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/txn2/rtbeat/config"
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

	Configuration []config.Setting `json:"configuration"` // null where it is withheld
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
	Stalled                     bool   `json:"stalled"`
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
	s, from, fromMinute := r.newest, r.before(forRates), r.before(forQuantiles)
	perSecond := func(was, is Number) Number { return rate(from, s, was, is) }
	report := &Report{
		Schema:  schema,
		Now:     s.at.UTC(),
		Verdict: r.verdict,
		Instance: Instance{
			Version: r.settings.Version, Commit: r.settings.Commit,
			LibbeatVersion: r.settings.Libbeat, GoVersion: runtime.Version(),
			Started: r.started.UTC(), UptimeSeconds: s.at.Sub(r.started).Truncate(time.Second).Seconds(),
			Phase: s.Phase, AckMode: r.settings.Ack, MemoryBytes: s.Memory,
			CertificateExpires: timeOf(s.CertificateExpiry),
		},
		Received: Received{
			s.ReceivedBytes, s.ReceivedBatches, s.ReceivedMessages,
			perSecond(from.ReceivedBytes, s.ReceivedBytes), perSecond(from.ReceivedBatches, s.ReceivedBatches), perSecond(from.ReceivedMessages, s.ReceivedMessages),
		},
		InFlight: InFlight{Bytes: s.Bytes, Events: s.Events, Requests: s.Requests, Connections: s.Connections},
		Acked: Acked{
			EventsTotal: s.Acked, EventsPerSecond: perSecond(from.Acked, s.Acked),
			P50Seconds: quantile(median, fromMinute.AckDurations, s.AckDurations), P99Seconds: quantile(slowest, fromMinute.AckDurations, s.AckDurations),
			Last: timeOf(s.LastAck),
		},
		Output: Output{
			Stalled: s.IsStalled, NoAckSeconds: s.NoAckSeconds, OldestUnacknowledgedSeconds: s.OldestSeconds,
			RetriedTotal: s.Libbeat.Retried, FailedTotal: s.Libbeat.Failed, DroppedTotal: s.Libbeat.Dropped, WriteErrorsTotal: s.Libbeat.WriteErrors,
		},
		Queue: Queue{Events: s.Libbeat.QueueEvents, BatchesWaiting: s.BatchesWaiting},
		Retries: Retries{
			s.DedupeEntries, s.DedupedInFlight, s.DedupedDelivered,
			s.Filtered, s.Withdrawn, s.Dropped,
		},
		Errors:        r.composeErrors(),
		History:       r.composeHistory(),
		Configuration: r.settings.Configuration,
	}
	if r.settings.Ack == persisted {
		d := r.disk()
		report.Durable = &d
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
	s, from, fromLong := r.newest, r.before(forRates), r.before(forForecasts)
	d := Durable{
		Batches: s.Disk.Batches, Bytes: s.Disk.Bytes, OldestSeconds: s.Disk.OldestSeconds, FileBytes: s.Disk.Files, RetryingBatches: s.Disk.Retrying,
		StoredBytesPerSecond:    rate(from, s, from.Disk.Stored, s.Disk.Stored),
		DeliveredBytesPerSecond: rate(from, s, from.Disk.Delivered, s.Disk.Delivered),
		FullInSeconds:           Number(math.NaN()), EmptyInSeconds: Number(math.NaN()),
	}
	fills := rate(fromLong, s, fromLong.Disk.Stored, s.Disk.Stored) - rate(fromLong, s, fromLong.Disk.Delivered, s.Disk.Delivered)
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
	errors := make([]Error, 0, len(r.failures))
	for i, f := range r.failures {
		if f.Total == 0 {
			continue
		}
		e := Error{What: f.What, Code: f.Code, Reason: f.Reason, Fault: faultOf(f), Total: f.Total, Recent: f.Total, LastSeen: r.seen[i].UTC()}
		if oldest != nil {
			e.Recent -= oldest.failures[i]
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
		h.MessagesPerSecond = append(h.MessagesPerSecond, rate(from, to, from.ReceivedMessages, to.ReceivedMessages))
		h.AckedPerSecond = append(h.AckedPerSecond, rate(from, to, from.Acked, to.Acked))
		h.P50Seconds = append(h.P50Seconds, quantile(median, from.AckDurations, to.AckDurations))
		h.P99Seconds = append(h.P99Seconds, quantile(slowest, from.AckDurations, to.AckDurations))
		h.InFlightBytes = append(h.InFlightBytes, to.Bytes.Value)
		h.InFlightEvents = append(h.InFlightEvents, to.Events.Value)
	}
	return h
}

func timeOf(unix Number) *time.Time {
	at := moment(unix)
	if at.IsZero() {
		return nil
	}
	return &at
}
