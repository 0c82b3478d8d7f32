package beater

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
)

// errBudgetSpent is the cause when a step of the stop is cut short.
var errBudgetSpent = errors.New("rtbeat.shutdown_timeout is over")

// closeTimeout limits the closing steps, which come after the budget. libbeat's pipeline waits a second for its
// events (createBeater in libbeat/cmd/instance/beat.go). Its Logstash client cannot be closed while it sends to a stalled host:
// it holds its lock then (asyncClient in libbeat/outputs/logstash/async.go).
const closeTimeout = 1500 * time.Millisecond

var errCloseTimeout = errors.New("closing took too long")

type step struct {
	name string
	run  func(ctx context.Context) error
}

// shutdown stops in order. A 200 stays true by this order: every sender has its answer, and the registry is sealed, before the
// pipeline is closed, because a closing pipeline reports dropped events as acknowledged. The steps up to "acks" share
// shutdown_timeout. The steps from "seal" on always run, within closeTimeout.
func (bt *Beater) shutdown(a *assembly, stopWatch func()) {
	start := time.Now()
	var account inflight.Account
	var left diskqueue.Stats

	budget, cancel := context.WithTimeoutCause(context.Background(), bt.config.ShutdownTimeout, errBudgetSpent)
	defer cancel()
	bt.runSteps(budget,
		step{"leave", func(ctx context.Context) error { return bt.leave(ctx, a) }},
		step{"intake", a.server.Drain},
		step{"shipper", a.shipping.finish},
		step{"acks", a.registry.WaitEmpty},
	)
	closing, cancel := context.WithTimeoutCause(context.Background(), closeTimeout, errCloseTimeout)
	defer cancel()
	bt.runSteps(closing,
		step{"seal", func(context.Context) error {
			stopWatch() // a sealed registry waits for no event, which looks like the end of a stall
			account = a.registry.Seal()
			return nil
		}},
		step{"queue", func(ctx context.Context) (err error) {
			left, err = a.shipping.close(ctx)
			return err
		}},
		step{"clients", func(context.Context) error { a.publisher.Close(); return nil }},
		step{"pipeline", func(ctx context.Context) error {
			return within(ctx, func() error {
				defer a.publisher.Wait() // the closed pipeline ends a worker that was blocked on a full queue
				return bt.closePipeline()
			})
		}},
		step{"admin", func(context.Context) error { a.server.CloseAdmin(); return nil }},
	)

	bt.report(account, left, time.Since(start))
}

// report writes the last line of the log.
func (bt *Beater) report(account inflight.Account, left diskqueue.Stats, took time.Duration) {
	done, open := account.Delivered, account.Unacknowledged
	args := []any{
		"delivered_batches", done.Batches, "delivered_events", done.Events,
		"rejected_events", account.Rejected, "unacknowledged_batches", open.Batches, "unacknowledged_events", open.Events,
		"event.duration", took.Nanoseconds(),
	}
	log, line := bt.log.Infow, fmt.Sprintf("stopped: %d events delivered, %d batches answered 200; %d events of %d batches unacknowledged",
		done.Events, done.Batches, open.Events, open.Batches)
	switch {
	case bt.queue != nil:
		line = fmt.Sprintf("stopped: %d events delivered; %d batches (%s) wait on the disk for the next start", done.Events, left.Batches, size(left.Bytes))
		args = append(args, "stored_batches", left.Batches, "stored_bytes", left.Bytes)
	case open.Batches > 0 || account.Rejected > 0:
		log = bt.log.Warnw
	}
	log(line, args...)
}

// runSteps runs each step, and logs a step that fails or runs out of time.
func (bt *Beater) runSteps(ctx context.Context, steps ...step) {
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

// within runs f, and waits for it until ctx ends. f may go on after that, until the process ends.
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
