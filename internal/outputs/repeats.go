package outputs

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/elastic-agent-libs/mapstr"
)

const (
	// repeatsToReport is the number of repeats that is worth a line. A Logstash that restarts costs one or two.
	repeatsToReport = 3
	// maxIDBytes is the part of an id that is logged: a uuid is as long as its sender makes it.
	maxIDBytes = 128
)

// repeats counts how often an output sends the same window with nothing acknowledged in between. Logstash closes the
// connection, without an acknowledgement, when it cannot read an event, and libbeat sends the window again for ever.
//
// Nothing is sent to a Logstash that is down, so nothing is counted. A Logstash that stalls lets output.logstash.timeout pass,
// and a timeout resets the count. A proxy that accepts connections and closes them, because its Logstash is down, looks the
// same as an unreadable event.
type repeats struct {
	log errorLogger

	// resets counts acknowledgements and timeouts. Each resets the count of repeats.
	resets atomic.Uint64

	mu sync.Mutex
	at uint64 // the value of resets when windows was cleared
	// windows has the repeats of each window, by its first event. It has at most the windows of libbeat's queue, which takes
	// nothing while nothing is acknowledged.
	windows map[weak.Pointer[publisher.Event]]int
	most    int // of windows
	limit   lineLimit
}

// errorLogger is the part of logp.Logger that repeats needs.
type errorLogger interface {
	Errorw(msg string, keysAndValues ...any)
}

func newRepeats(log errorLogger) *repeats {
	return &repeats{log: log, windows: make(map[weak.Pointer[publisher.Event]]int)}
}

func (r *repeats) reset() { r.resets.Add(1) }

// sent counts a window. The output's workers call it for a window that is the first on its connection since the last
// acknowledgement.
func (r *repeats) sent(events []publisher.Event) {
	if len(events) == 0 {
		return
	}
	first := weak.Make(&events[0])
	r.mu.Lock()
	defer r.mu.Unlock()
	if resets := r.resets.Load(); resets != r.at {
		clear(r.windows)
		r.at, r.most = resets, 0
	}
	times, isKnown := r.windows[first]
	if isKnown {
		times++
	}
	r.windows[first] = times
	r.most = max(r.most, times)
	if times < repeatsToReport {
		return
	}
	if _, ok := r.limit.allow(time.Now()); ok {
		r.log.Errorw("the same window is sent again and again, and the connection ends each time without an acknowledgement: one event may be unreadable for Logstash. Look for a JSON error in Logstash's log, and for a processor of rtbeat that makes long keys or deep objects",
			"repeats", times, "events", len(events), "first_uuid", idOf(&events[0]), "last_uuid", idOf(&events[len(events)-1]))
	}
}

func (r *repeats) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.resets.Load() != r.at {
		return 0
	}
	return r.most
}

// idOf returns the uuid of an event's message, else its _id, else "none". Nothing else that a sender sent is logged.
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

// current belongs to the Logstash output; nil with any other output. It is global, because libbeat makes the output and hands
// nothing back.
var current atomic.Pointer[repeats]

// WindowRepeats returns how often the Logstash output has sent the same window again with no acknowledgement in between. It
// returns 0 when all is well, and with other outputs. It may be called from any goroutine.
func WindowRepeats() int {
	if r := current.Load(); r != nil {
		return r.count()
	}
	return 0
}
