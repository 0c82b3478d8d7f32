package beater

import (
	"context"
	"time"
)

const (
	// lookEvery is how often the states are looked at: three locks for a few loads each. What makes a stall is that nothing
	// happens, so that nothing could tell of it.
	lookEvery = time.Second
	// tellEvery is how often the beginning of a state is told at most; what comes back sooner is counted.
	tellEvery = time.Minute
)

// state is something that holds for a while, and is worth a line when it begins and one when it is over.
type state struct {
	look  func(was bool) sighting
	begun func(fields ...any)
	over  func(fields ...any)

	is         bool
	since      time.Time
	told       bool // that it has begun
	toldAt     time.Time
	times      uint64
	suppressed uint64
}

// sighting is what a look at a state found.
type sighting struct {
	is     bool
	age    time.Duration // for how long, where that is known
	times  uint64        // how often it has begun, where somebody counts
	fields []any         // of the log line
}

// states are looked at by one goroutine, which runs watch.
type states []*state

// watch tells of each state when it begins and when it is over, until ctx ends.
func (s states) watch(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, state := range s {
				state.lookAgain(time.Now())
			}
		case <-ctx.Done():
			return
		}
	}
}

// lookAgain writes two lines a minute at most, however often the state changes.
func (s *state) lookAgain(now time.Time) {
	seen := s.look(s.is)
	if missed := seen.times - s.times; missed > 0 {
		if seen.is && !s.is {
			missed-- // that one is not over yet
		}
		s.times = seen.times
		s.suppressed += missed
	}
	if seen.is && !s.is {
		s.since, s.told = now.Add(-seen.age), false
	}
	switch {
	case seen.is && !s.told && (s.toldAt.IsZero() || now.Sub(s.toldAt) >= tellEvery):
		s.begun(append(seen.fields, "event.duration", now.Sub(s.since).Nanoseconds(), "suppressed", s.suppressed)...)
		s.told, s.toldAt, s.suppressed = true, now, 0
	case !seen.is && s.is && s.told:
		s.over(append(seen.fields, "event.duration", now.Sub(s.since).Nanoseconds())...)
	case !seen.is && s.is:
		s.suppressed++
	}
	s.is = seen.is
}

// stateLogger is the part of logp.Logger that states need.
type stateLogger interface {
	Infow(msg string, keysAndValues ...any)
	Warnw(msg string, keysAndValues ...any)
	Errorw(msg string, keysAndValues ...any)
}

// What the states are of.
type (
	owed interface { // *inflight.Registry
		Stalled() (age time.Duration, stalled bool)
		Events() int
	}
	room interface { // *inflight.Admission
		High() (age time.Duration, times uint64, high bool)
		Used() int64
		Limit() int64
	}
	doorway interface { // *listen.Bound
		Open() int
		Limit() int
		Displaced() uint64
	}
)

// stallOf is the state of an output that acknowledges nothing.
func stallOf(registry owed, isDurable bool, log stateLogger) *state {
	consequence := "Batches with new messages are refused, and /readyz is 503"
	if isDurable {
		consequence = "Batches are stored in the queue on disk, and /readyz says degraded"
	}
	return &state{
		look: func(bool) sighting {
			age, stalled := registry.Stalled()
			return sighting{is: stalled, age: age, fields: []any{"events", registry.Events()}}
		},
		begun: func(fields ...any) {
			log.Errorw("the output is stalled: it has acknowledged nothing for rtbeat.stall_after. "+consequence, fields...)
		},
		over: func(fields ...any) { log.Infow("the output acknowledges again", fields...) },
	}
}

// highOf is the state of being about to refuse batches because there is no room for them.
func highOf(admission room, log stateLogger) *state {
	return &state{
		look: func(bool) sighting {
			age, times, high := admission.High()
			return sighting{is: high, age: age, times: times, fields: []any{"bytes", admission.Used(), "limit", admission.Limit()}}
		},
		begun: func(fields ...any) {
			log.Warnw("nine tenths of rtbeat.max_in_flight_bytes are in flight. What does not fit is refused, and /readyz is 503", fields...)
		},
		over: func(fields ...any) {
			log.Infow("in flight is down to three quarters of rtbeat.max_in_flight_bytes", fields...)
		},
	}
}

// crowdOf is the state of having no place for one more connection. It is over when a tenth of them is free.
func crowdOf(connections doorway, log stateLogger) *state {
	return &state{
		look: func(was bool) sighting {
			open, limit := connections.Open(), connections.Limit()
			enough := limit
			if was {
				enough = limit - limit/10
			}
			return sighting{is: limit > 0 && open >= enough, fields: []any{"connections", open, "limit", limit, "displaced", connections.Displaced()}}
		},
		begun: func(fields ...any) {
			log.Warnw("rtbeat.max_connections are open. A further one takes the place of the one that has waited longest", fields...)
		},
		over: func(fields ...any) { log.Infow("a tenth of rtbeat.max_connections is free again", fields...) },
	}
}
