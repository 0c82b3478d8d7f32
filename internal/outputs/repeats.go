package outputs

import (
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/elastic-agent-libs/mapstr"
)

const (
	// repeatsToReport is after how many repeats of a window it is worth a line. A Logstash that restarts costs one or two.
	repeatsToReport = 3
	// reportEvery is how often that line is written at most.
	reportEvery = time.Minute
	// maxIDBytes is how much of an id is logged: a uuid is as long as its sender makes it.
	maxIDBytes = 128
)

// repeats counts how often an output sends the same window with nothing acknowledged in between. Logstash closes the
// connection, without an acknowledgement, when it cannot read an event, and libbeat sends the window again for ever.
//
// A Logstash that is down is sent nothing, so nothing is counted. A Logstash that stalls lets output.logstash.timeout pass,
// and the count begins anew at a timeout. What accepts connections and closes them, as a proxy does whose Logstash is down,
// looks the same as an event that cannot be read.
type repeats struct {
	log errorLogger
	now func() time.Time

	// marks counts acknowledgements and timeouts. The count begins anew at each.
	marks atomic.Uint64

	mu sync.Mutex
	at uint64 // marks, when windows was emptied
	// windows has, by its first event, how often each window was sent again. There are no more than libbeat's queue has
	// windows, for it takes nothing while nothing is acknowledged.
	windows  map[weak.Pointer[publisher.Event]]int
	most     int // of windows
	reported time.Time
}

// errorLogger is the part of logp.Logger that repeats needs.
type errorLogger interface {
	Errorw(msg string, keysAndValues ...any)
}

func newRepeats(log errorLogger) *repeats {
	return &repeats{log: log, now: time.Now, windows: make(map[weak.Pointer[publisher.Event]]int)}
}

// sent notes that a window is sent. It is called by the output's workers, for each window that is the first on its connection
// since the last acknowledgement.
func (r *repeats) sent(events []publisher.Event) {
	if len(events) == 0 {
		return
	}
	first := weak.Make(&events[0])
	r.mu.Lock()
	defer r.mu.Unlock()
	if marks := r.marks.Load(); marks != r.at {
		clear(r.windows)
		r.at, r.most = marks, 0
	}
	times, again := r.windows[first]
	if again {
		times++
	}
	r.windows[first] = times
	r.most = max(r.most, times)
	if times < repeatsToReport {
		return
	}
	if now := r.now(); r.reported.IsZero() || now.Sub(r.reported) >= reportEvery {
		r.reported = now
		r.log.Errorw("the same window is sent again and again, and the connection ends each time without an acknowledgement: one event may be unreadable for Logstash. Look for a JSON error in Logstash's log, and for a processor of rtbeat that makes long keys or deep objects",
			"repeats", times, "events", len(events), "first_uuid", idOf(&events[0]), "last_uuid", idOf(&events[len(events)-1]))
	}
}

// count returns how often the window was sent again that was sent most often, since the last acknowledgement.
func (r *repeats) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.marks.Load() != r.at {
		return 0
	}
	return r.most
}

// idOf returns the uuid of an event's message; where there is none, its _id; else "none". It returns nothing else of what
// the sender sent.
func idOf(event *publisher.Event) string {
	var message map[string]any
	switch m := event.Content.Fields["rxtxMsg"].(type) {
	case mapstr.M:
		message = m
	case map[string]any:
		message = m
	}
	for _, id := range []any{message["uuid"], event.Content.Meta["_id"]} {
		if text, ok := id.(string); ok && text != "" {
			return strings.ToValidUTF8(text[:min(len(text), maxIDBytes)], "")
		}
	}
	return "none"
}

// current is the output's, if it is Logstash.
var current atomic.Pointer[repeats]

// WindowRepeats returns how often the Logstash output has sent the same window again with no acknowledgement in between. It
// returns 0 when all is well, and with other outputs. It may be called from any goroutine.
func WindowRepeats() int {
	if r := current.Load(); r != nil {
		return r.count()
	}
	return 0
}

// markingObserver counts the acknowledgements and timeouts that end a count of repeats.
type markingObserver struct {
	outputs.Observer
	repeats *repeats
}

func (o *markingObserver) AckedEvents(n int) {
	if n > 0 {
		o.repeats.marks.Add(1)
	}
	o.Observer.AckedEvents(n)
}

func (o *markingObserver) ReadError(err error) {
	o.markTimeout(err)
	o.Observer.ReadError(err)
}

func (o *markingObserver) WriteError(err error) {
	o.markTimeout(err)
	o.Observer.WriteError(err)
}

func (o *markingObserver) markTimeout(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		o.repeats.marks.Add(1)
	}
}
