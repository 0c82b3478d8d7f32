package durable

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
)

// nudger sees to it that what the queue has accepted is written.
//
// When a full queue gets room again, libbeat takes the events that wait for it into memory, and does not write them
// before somebody publishes one more (the case of the deleter loop in run, diskqueue/core_loop.go). Nobody may: while
// the output counts as stalled new messages are refused, and those that come again are joined. So after a while without
// an acknowledgement the last event is offered to the queue once more, which makes it look. The queue may take it: that
// is a copy, under the same document id.
type nudger struct {
	mu       sync.Mutex
	owed     int           // events that the queue is to acknowledge
	quiet    time.Time     // since when it has acknowledged none of them
	pause    time.Duration // until the next nudge
	last     beat.Event    // that it was given
	haveLast bool
}

const (
	firstNudge = 2 * time.Second // longer than a disk takes
	lastNudge  = time.Minute
	nudgeLook  = 500 * time.Millisecond
)

// nudging marks the client whose events have been through the processors before.
const nudging = "rtbeat: nudge"

func (n *nudger) given(event beat.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	event.Private = nil
	n.last, n.haveLast = event, true
	if n.owed == 0 {
		n.progressLocked()
	}
	n.owed++
}

func (n *nudger) acked(events int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.owed -= events
	n.progressLocked()
}

func (n *nudger) progressLocked() {
	n.quiet, n.pause = time.Now(), firstNudge
}

// due returns the event to nudge with, when it is time to. The times between two double.
func (n *nudger) due() (event beat.Event, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.owed <= 0 || !n.haveLast || time.Since(n.quiet) < n.pause {
		return beat.Event{}, false
	}
	n.quiet, n.pause = time.Now(), min(2*n.pause, lastNudge)
	return n.last, true
}

// Nudge runs until ctx ends. In memory mode it returns at once.
func (d *Mode) Nudge(ctx context.Context) error {
	if d == nil {
		return nil
	}
	client, err := d.pipeline.ConnectWith(beat.ClientConfig{
		PublishMode: beat.DropIfFull, // a full queue looks, and refuses
		Processing:  beat.ProcessingConfig{Private: nudging},
	})
	if err != nil {
		return fmt.Errorf("connecting to the publisher pipeline: %w", err)
	}
	defer func() { _ = client.Close() }() // always nil (libbeat/publisher/pipeline/client.go)
	look := time.NewTicker(nudgeLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			if event, ok := d.nudger.due(); ok {
				client.Publish(event)
			}
		}
	}
}
