package beater

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/txn2/rtbeat/internal/inflight"
)

// errBudgetSpent is why a step of the stop is cut short.
var errBudgetSpent = errors.New("shutdown_timeout is spent")

// closeTimeout bounds the closing steps, which come after the budget: libbeat's pipeline waits a second for what is
// left in it (createBeater in libbeat/cmd/instance/beat.go), and its Logstash client cannot be closed at all while it
// is blocked in sending to a stalled host (asyncClient in libbeat/outputs/logstash/async.go holds its lock then).
const closeTimeout = 1500 * time.Millisecond

var errCloseTimeout = errors.New("closing takes too long")

// step is one step of the stop.
type step struct {
	name string
	run  func(ctx context.Context) error
}

// shutdown stops in order. The order is the promise: every sender has its answer before anything can look like an
// acknowledgement that is none, and the registry is sealed before the pipeline is closed. The steps up to "acks"
// share shutdown_timeout; those from "seal" on run in any case, within closeTimeout.
func (bt *Beater) shutdown(a *assembly, acksMayCome bool) {
	start := time.Now()
	var account inflight.Account

	budget, cancel := context.WithTimeoutCause(context.Background(), bt.config.ShutdownTimeout, errBudgetSpent)
	defer cancel()
	bt.take(budget,
		step{"unready", func(ctx context.Context) error { return bt.leave(ctx, a) }},
		step{"intake", a.server.Drain},
	)
	if acksMayCome {
		bt.take(budget, step{"acks", a.registry.WaitEmpty})
	}
	closing, cancel := context.WithTimeoutCause(context.Background(), closeTimeout, errCloseTimeout)
	defer cancel()
	bt.take(closing,
		step{"seal", func(context.Context) error {
			a.unwatch() // a sealed registry owes nothing, which looks like the end of a stall
			account = a.registry.Seal()
			return nil
		}},
		step{"clients", func(context.Context) error { a.publisher.Close(); return nil }},
		step{"pipeline", func(ctx context.Context) error {
			if err := within(ctx, bt.closePipeline); err != nil {
				return err
			}
			return a.publisher.Wait(ctx) // closing it ends a worker that was blocked on a full queue
		}},
		step{"admin", func(context.Context) error { a.server.Close(); return nil }},
	)

	done, open := account.Delivered, account.Unacknowledged
	report := bt.log.Infow
	if open.Batches > 0 || account.Rejected > 0 {
		report = bt.log.Warnw
	}
	report(fmt.Sprintf("stopped: %d events delivered, %d batches answered 200; %d events of %d batches unacknowledged",
		done.Events, done.Batches, open.Events, open.Batches),
		"delivered_batches", done.Batches, "delivered_events", done.Events,
		"rejected_events", account.Rejected, "unacknowledged_batches", open.Batches, "unacknowledged_events", open.Events,
		"event.duration", time.Since(start).Nanoseconds())
}

// take goes through steps, and logs those that fail or run out of time.
func (bt *Beater) take(ctx context.Context, steps ...step) {
	for _, s := range steps {
		began := time.Now()
		err := s.run(ctx)
		args := []any{"step", s.name, "event.duration", time.Since(began).Nanoseconds()}
		if err != nil {
			bt.log.Warnw("stopping: step cut short", append(args, "error.message", err.Error())...)
			continue
		}
		bt.log.Debugw("stopping: step done", args...)
	}
}

// leaveOpen stands for closing the pipeline. In durable mode the process ends as if killed, which the queue survives:
// closing it would lose events. libbeat gives the queue a second to close, and then drops what the output has not
// acknowledged; where the queue has not closed by then, because a sync or a deletion takes its time, it takes the
// dropped events for delivered (WaitClose in libbeat/publisher/pipeline/controller.go). And where the disk is full,
// the closing queue panics (processRequest in diskqueue/writer_loop.go syncs a file that it could not open).
func leaveOpen() error { return nil }

// within runs f, and does not wait for it beyond ctx: the process ends next, and f with it.
func within(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// leave turns /readyz to 503 and goes on serving for shutdown_delay.
func (bt *Beater) leave(ctx context.Context, a *assembly) error {
	a.server.Leave()
	if bt.config.ShutdownDelay == 0 {
		return nil
	}
	bt.log.Infow("stopping: still serving, /readyz is 503", "shutdown_delay", bt.config.ShutdownDelay.String())
	select {
	case <-time.After(bt.config.ShutdownDelay):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
