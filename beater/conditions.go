package beater

import (
	"context"
	"time"

	"github.com/txn2/rtbeat/internal/inflight"
)

const (
	// observeEvery is the interval of observations. Conditions are polled, because a stall is the absence of events.
	observeEvery = time.Second
	// logEvery is the shortest time between two lines that a condition has begun. Suppressed lines are counted.
	logEvery = time.Minute
)

// condition is logged when it begins and when it ends.
type condition struct {
	observe  func(before bool) observation
	logBegin func(fields ...any)
	logEnd   func(fields ...any)

	holds      bool
	since      time.Time
	logged     bool // that it has begun
	loggedAt   time.Time
	times      uint64
	suppressed uint64
}

type observation struct {
	holds  bool
	age    time.Duration // since it began, if that is known
	times  uint64        // how often it has begun, if that is counted
	fields []any         // of the log line
}

// conditions are observed by one goroutine, which runs watch.
type conditions []*condition

// watch logs the beginning and the end of each condition, until ctx ends.
func (all conditions) watch(ctx context.Context) {
	ticker := time.NewTicker(observeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, c := range all {
				c.update(time.Now())
			}
		case <-ctx.Done():
			return
		}
	}
}

// update observes the condition. It logs two lines in a minute at most, however often the condition changes.
func (c *condition) update(now time.Time) {
	seen := c.observe(c.holds)
	if missed := seen.times - c.times; missed > 0 {
		if seen.holds && !c.holds {
			missed-- // the last one still holds
		}
		c.times = seen.times
		c.suppressed += missed
	}
	if seen.holds && !c.holds {
		c.since, c.logged = now.Add(-seen.age), false
	}
	switch {
	case seen.holds && !c.logged && (c.loggedAt.IsZero() || now.Sub(c.loggedAt) >= logEvery):
		c.logBegin(append(seen.fields, "event.duration", now.Sub(c.since).Nanoseconds(), "suppressed", c.suppressed)...)
		c.logged, c.loggedAt, c.suppressed = true, now, 0
	case !seen.holds && c.holds && c.logged:
		c.logEnd(append(seen.fields, "event.duration", now.Sub(c.since).Nanoseconds())...)
	case !seen.holds && c.holds:
		c.suppressed++
	}
	c.holds = seen.holds
}

// conditionLogger is the part of logp.Logger that conditions need.
type conditionLogger interface {
	Infow(msg string, keysAndValues ...any)
	Warnw(msg string, keysAndValues ...any)
	Errorw(msg string, keysAndValues ...any)
}

// outputStalled holds while the output acknowledges nothing.
func outputStalled(stalled func() (time.Duration, bool), events func() int, isDurable bool, log conditionLogger) *condition {
	consequence := "Batches with new messages are refused, and /readyz is 503"
	if isDurable {
		consequence = "Batches are stored in the queue on disk, and /readyz says degraded"
	}
	return &condition{
		observe: func(bool) observation {
			age, isStalled := stalled()
			return observation{holds: isStalled, age: age, fields: []any{"events", events()}}
		},
		logBegin: func(fields ...any) {
			log.Errorw("the output is stalled: it has acknowledged nothing for rtbeat.stall_after. "+consequence, fields...)
		},
		logEnd: func(fields ...any) { log.Infow("the output acknowledges again", fields...) },
	}
}

// inFlightHigh holds while Admission.High does: a batch may be refused.
func inFlightHigh(admission *inflight.Admission, log conditionLogger) *condition {
	return &condition{
		observe: func(bool) observation {
			age, times, isHigh := admission.High()
			return observation{holds: isHigh, age: age, times: times, fields: []any{"bytes", admission.Used(), "limit", admission.Limit()}}
		},
		logBegin: func(fields ...any) {
			log.Warnw("nine tenths of rtbeat.max_in_flight_bytes are in flight. rtbeat refuses batches that do not fit, and /readyz is 503", fields...)
		},
		logEnd: func(fields ...any) {
			log.Infow("in flight is down to three quarters of rtbeat.max_in_flight_bytes", fields...)
		},
	}
}

// connectionsFull holds from the moment when all connections are open until a tenth of them is free.
func connectionsFull(open, limit func() int, displaced func() uint64, log conditionLogger) *condition {
	return &condition{
		observe: func(before bool) observation {
			n, most := open(), limit()
			enough := most
			if before {
				enough = most - most/10
			}
			return observation{holds: most > 0 && n >= enough, fields: []any{"connections", n, "limit", most, "displaced", displaced()}}
		},
		logBegin: func(fields ...any) {
			log.Warnw("rtbeat.max_connections are open: a further connection closes the one that has waited longest for a complete request", fields...)
		},
		logEnd: func(fields ...any) { log.Infow("a tenth of rtbeat.max_connections is free again", fields...) },
	}
}
