// Package durable is durable mode: libbeat's disk queue is in force, and an acknowledgement says that an event is on the
// local disk, not that the output has it.
//
// That queue can be trusted with less than the memory queue. What it may acknowledge without reason, lose after it has,
// or change, is kept from it (Processing), checked (Guard), or refused at the start (NewQueue). docs/durable.md has the
// list, and test/durable holds libbeat against it.
package durable

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/publisher/processing"
	"github.com/elastic/elastic-agent-libs/logp"

	"github.com/txn2/rtbeat/internal/queuedir"
)

// Mode is durable mode in force. A nil Mode is memory mode: nothing fails.
type Mode struct {
	queue *Queue
	dir   *queuedir.Dir
	log   *logp.Logger

	pipeline beat.Pipeline // libbeat's own, set by Guard
	nudger   nudger

	failed chan error // gets the first reason why no acknowledgement can be trusted any more
	broken atomic.Bool
}

// Open takes hold of the directory of the queue, before libbeat opens it.
func Open(queue *Queue, log *logp.Logger) (*Mode, error) {
	dir, err := queuedir.Open(queue.dir())
	if err != nil {
		return nil, fmt.Errorf("cannot use the directory of the disk queue, %s: %w", queue.dir(), err)
	}
	if err := queue.judgeLargest(dir.Largest); err != nil {
		_ = dir.Close()
		return nil, err
	}
	if dir.Reset {
		log.Warnf("the position of the disk queue in %s was not sound after the last run: it was moved back, and some events will be delivered again", queue.dir())
	}
	return &Mode{queue: queue, dir: dir, log: log, failed: make(chan error, 1)}, nil
}

// Announce says at the start what a 200 is worth.
func (d *Mode) Announce() {
	d.log.Warnf("durable mode: a 200 says that a batch is on the disk below %s (%s, %s at most), and not that the output has it (docs/durable.md)",
		d.queue.dir(), d.queue.key, bytes(d.queue.settings.MaxBufferSize))
}

// WarnOfLeftovers tells, in memory mode, of events that durable mode took and that nobody delivers now. Only the place
// where libbeat puts a disk queue by itself is known then.
func WarnOfLeftovers(log *logp.Logger) {
	if dir := defaultQueueDir(); queuedir.Pending(dir) {
		log.Warnf("there may be undelivered events in %s, which senders were answered 200 for in durable mode: configure queue.disk until they are delivered (docs/durable.md)", dir)
	}
}

// Processing makes events safe for the queue, after all processors.
func (d *Mode) Processing(support processing.Supporter) processing.Supporter {
	return fitting{support, d.queue.largest(), d.log}
}

// fail ends all trust: from here on no acknowledgement passes, and Run ends with the reason. What is on the disk is
// read again after the restart.
func (d *Mode) fail(reason error) {
	if d.broken.Swap(true) {
		return
	}
	d.failed <- reason
}

// Failures tells when trust has ended: its one value is the reason, and rtbeat must stop. In memory mode none comes.
func (d *Mode) Failures() <-chan error {
	if d == nil {
		return nil
	}
	return d.failed
}

// Guard puts the checks between the publisher and libbeat's pipeline. Call it when libbeat has opened the queue, and
// before anything is published. maxInFlight is how many bytes of messages may be published and not acknowledged.
func (d *Mode) Guard(pipeline beat.Pipeline, maxInFlight int64) beat.Pipeline {
	d.dir.Watch(d.queue.segmentsInOneWrite(maxInFlight))
	d.pipeline = pipeline
	return guardedPipeline{pipeline, d}
}

type guardedPipeline struct {
	beat.Pipeline
	mode *Mode
}

func (p guardedPipeline) ConnectWith(c beat.ClientConfig) (beat.Client, error) {
	checked := &acks{EventListener: c.EventListener, mode: p.mode}
	c.EventListener = checked
	c.ClientListener = client{c.ClientListener, checked}
	return p.Pipeline.ConnectWith(c) //nolint:wrapcheck // a decorator: the caller is to see the error of what it decorates
}

// acks passes acknowledgements on that can be trusted.
type acks struct {
	beat.EventListener
	mode *Mode

	// The client calls the three below one after the other, for one event at a time.
	added   bool // the event was counted as published, and the queue has not taken it yet
	closing atomic.Bool
	// shifted says that an event was counted which will never be acknowledged. Acknowledgements are numbers without
	// names: each that comes after would be taken for that of the event before.
	shifted atomic.Bool
}

var errRefused = errors.New("the disk queue refused an event (libbeat's log says why), and its acknowledgements can no longer be told apart")

func (a *acks) AddEvent(event beat.Event, published bool) {
	a.added = published
	if published {
		a.mode.nudger.given(event)
	}
	a.EventListener.AddEvent(event, published)
}

// ACKEvents is called by the queue, which has written n events of this client and synced them, or tried to.
func (a *acks) ACKEvents(n int) {
	a.mode.nudger.acked(n)
	if a.shifted.Load() || a.mode.broken.Load() {
		return
	}
	if err := a.mode.dir.Sync(); err != nil {
		a.mode.fail(fmt.Errorf("the disk of the queue cannot be trusted, and no batch is answered 200 any more: %w", err))
		return
	}
	a.EventListener.ACKEvents(n)
}

func (a *acks) refused() {
	if !a.added {
		return
	}
	a.shifted.Store(true)
	if !a.closing.Load() { // a closing queue takes nothing, and nobody waits any more
		a.mode.fail(errRefused)
	}
}

// client hears of events that the queue refused.
type client struct {
	beat.ClientListener
	acks *acks
}

func (c client) Closing() {
	c.acks.closing.Store(true)
	c.ClientListener.Closing()
}

func (c client) DroppedOnPublish(event beat.Event) {
	c.acks.refused()
	c.ClientListener.DroppedOnPublish(event)
}
