package status

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/intake"
)

// schema is the version of the shape of Report. Fields may be added under the same one.
const schema = 1

// Report is the content of /status.json; docs/status.md describes it. A number that is not known is null. Totals count since the
// start of the process, rates are over the last 15 seconds, times are in UTC.
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
	Sources  []Source `json:"sources"`
	History  History  `json:"history"`

	Configuration []config.Setting `json:"configuration"` // null under a foreign name
}

// Change is the time of a new verdict.
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
	Unconfirmed    bool      `json:"unconfirmed_output"` // the output does not say which events it gave up
	MemoryBytes    Number    `json:"memory_bytes"`

	CertificateExpires *time.Time `json:"certificate_expires"`
}

// Received counts the requests.
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

// InFlight has the amounts in flight and their limits.
type InFlight struct {
	Bytes       Bounded `json:"bytes"`
	Events      Bounded `json:"events"`
	Requests    Bounded `json:"requests"`
	Connections Bounded `json:"connections"`
}

// Acked counts the acknowledgements of the output.
type Acked struct {
	EventsTotal     Number     `json:"events_total"`
	EventsPerSecond Number     `json:"events_per_second"`
	P50Seconds      Number     `json:"p50_seconds"` // from the end of a body to the 200, over the last minute
	P99Seconds      Number     `json:"p99_seconds"`
	Last            *time.Time `json:"last"`
}

// Output is the state of the output.
type Output struct {
	Stalled                     bool   `json:"stalled"`
	NoAckSeconds                Number `json:"no_ack_seconds"`
	OldestUnacknowledgedSeconds Number `json:"oldest_unacknowledged_seconds"`
	RetriedTotal                Number `json:"retried_total"`
	FailedTotal                 Number `json:"failed_total"`
	DroppedTotal                Number `json:"dropped_total"`
	WriteErrorsTotal            Number `json:"write_errors_total"`
}

// Queue has the events in libbeat's queue, and the batches that wait for a worker.
type Queue struct {
	Events         Bounded `json:"events"`
	BatchesWaiting Number  `json:"batches_waiting"`
}

// Durable is the queue on disk.
type Durable struct {
	Batches                 Number  `json:"batches"`
	Bytes                   Number  `json:"bytes"` // of the batches
	OldestSeconds           Number  `json:"oldest_seconds"`
	FileBytes               Bounded `json:"file_bytes"`
	RetryingBatches         Number  `json:"retrying_batches"`
	StoredBytesPerSecond    Number  `json:"stored_bytes_per_second"`
	DeliveredBytesPerSecond Number  `json:"delivered_bytes_per_second"`
	FullInSeconds           Number  `json:"full_in_seconds"`  // at the rates of the last minute; null if it does not fill
	EmptyInSeconds          Number  `json:"empty_in_seconds"` // the same; null if it does not empty
}

// Retries counts deduped messages, and events that were not published.
type Retries struct {
	Entries               Bounded `json:"entries"`
	DedupedInFlightTotal  Number  `json:"joined_in_flight_total"`
	DedupedDeliveredTotal Number  `json:"joined_delivered_total"`
	FilteredTotal         Number  `json:"filtered_total"`
	WithdrawnTotal        Number  `json:"withdrawn_total"`
	DroppedTotal          Number  `json:"dropped_total"`
}

// Source is a source, and its answers.
type Source struct {
	Name          string         `json:"name"`
	Path          string         `json:"path"`
	AnswersTotal  Number         `json:"answers_total"`
	RefusedTotal  Number         `json:"refused_total"` // answers other than 200
	MessagesTotal Number         `json:"messages_total"`
	LastProblem   *SourceProblem `json:"last_problem"` // null before the first
}

// SourceProblem is an answer other than 200.
type SourceProblem struct {
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Error counts a failure.
type Error struct {
	What     string       `json:"what"`
	Code     string       `json:"code"`
	Reason   string       `json:"reason"`
	Fault    intake.Fault `json:"fault"`
	Total    float64      `json:"total"`
	Recent   float64      `json:"recent"` // in the 15 minutes of History
	LastSeen time.Time    `json:"last_seen"`
}

// History has a value for each interval of the last 15 minutes, the oldest first. A value is null if it is not known, or if there was
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

// The times that the report looks back. Rates show the end of traffic soon, quantiles need observations, and forecasts show an outage
// soon.
const (
	forRates     = 15 * time.Second
	forQuantiles = time.Minute
	forForecasts = time.Minute
)

// compose makes a report of the newest sample. The caller holds the lock.
func (r *recorder) compose() *Report {
	s, from, fromMinute := r.newest, r.before(forRates), r.before(forQuantiles)
	perSecond := func(was, is Number) Number { return rate(from, s, was, is) }
	report := &Report{
		Schema:  schema,
		Now:     s.at.UTC(),
		Verdict: r.verdict,
		Changes: slices.Clone(r.changes),
		Instance: Instance{
			Version: r.settings.Version, Commit: r.settings.Commit,
			LibbeatVersion: r.settings.Libbeat, GoVersion: runtime.Version(),
			Started: r.started.UTC(), UptimeSeconds: s.at.Sub(r.started).Truncate(time.Second).Seconds(),
			Phase: s.Phase, AckMode: r.settings.Ack, Unconfirmed: r.settings.Unconfirmed, MemoryBytes: s.Memory,
			CertificateExpires: timeOf(s.CertificateExpiry),
		},
		Received: Received{
			s.ReceivedBytes, s.ReceivedBatches, s.ReceivedMessages,
			perSecond(from.ReceivedBytes, s.ReceivedBytes), perSecond(from.ReceivedBatches, s.ReceivedBatches), perSecond(from.ReceivedMessages, s.ReceivedMessages),
		},
		InFlight: s.InFlight, Output: s.Output, Queue: s.Queue, Retries: s.Retries,
		Acked: Acked{
			EventsTotal: s.Acked, EventsPerSecond: perSecond(from.Acked, s.Acked),
			P50Seconds: quantile(median, fromMinute.AckDurations, s.AckDurations), P99Seconds: quantile(slowest, fromMinute.AckDurations, s.AckDurations),
			Last: timeOf(s.LastAck),
		},
		Errors:        r.composeErrors(),
		Sources:       composeSources(s.Sources),
		History:       r.composeHistory(),
		Configuration: r.settings.Configuration,
	}
	if r.settings.Ack == persisted {
		report.Durable = r.disk()
	}
	slices.Reverse(report.Changes)
	return report
}

// filesByBatches is the growth of the files in bytes for each byte of a batch: 1.3 with bodies of 30 kB, and 1.5 to 1.6 with
// smaller ones. The alert on a queue that fills uses it too.
const filesByBatches = 1.5

// disk returns the queue on disk at the newest sample.
func (r *recorder) disk() *Durable {
	s, from, fromLong := r.newest, r.before(forRates), r.before(forForecasts)
	d := &Durable{
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

func composeSources(counts []intake.SourceCounts) []Source {
	sources := make([]Source, 0, len(counts))
	for _, c := range counts {
		s := Source{Name: c.Name, Path: c.Path, AnswersTotal: Number(c.Answers), RefusedTotal: Number(c.Refused), MessagesTotal: Number(c.Messages)}
		if c.LastProblem != nil {
			s.LastProblem = &SourceProblem{c.LastProblem.Reason, c.LastProblem.At.UTC()}
		}
		sources = append(sources, s)
	}
	return sources
}

func (r *recorder) composeErrors() []Error {
	errors := make([]Error, 0, len(r.failures))
	for i, f := range r.failures {
		if f.Total == 0 {
			continue
		}
		e := Error{What: f.What, Code: f.Code, Reason: f.Reason, Fault: f.Fault, Total: f.Total, Recent: f.Total, LastSeen: r.seen[i].UTC()}
		if len(r.window) > 0 {
			e.Recent -= r.window[0].failures[i]
		}
		errors = append(errors, e)
	}
	slices.SortStableFunc(errors, func(a, b Error) int { return cmp.Or(b.LastSeen.Compare(a.LastSeen), cmp.Compare(b.Recent, a.Recent)) })
	return errors
}

func (r *recorder) composeHistory() History {
	h := History{
		IntervalSeconds: interval.Seconds(), Points: points, MessagesPerSecond: []Number{}, AckedPerSecond: []Number{},
		P50Seconds: []Number{}, P99Seconds: []Number{}, InFlightBytes: []Number{}, InFlightEvents: []Number{},
	}
	for i := 1; i < len(r.window); i++ {
		from, to := r.window[i-1], r.window[i]
		h.MessagesPerSecond = append(h.MessagesPerSecond, rate(from, to, from.ReceivedMessages, to.ReceivedMessages))
		h.AckedPerSecond = append(h.AckedPerSecond, rate(from, to, from.Acked, to.Acked))
		h.P50Seconds = append(h.P50Seconds, quantile(median, from.AckDurations, to.AckDurations))
		h.P99Seconds = append(h.P99Seconds, quantile(slowest, from.AckDurations, to.AckDurations))
		h.InFlightBytes = append(h.InFlightBytes, to.InFlight.Bytes.Value)
		h.InFlightEvents = append(h.InFlightEvents, to.InFlight.Events.Value)
	}
	return h
}

func timeOf(unix Number) *time.Time {
	if at := moment(unix); !at.IsZero() {
		return &at
	}
	return nil
}
