package outputs

import (
	"bufio"
	"context"
	"errors"
	"os"
	"reflect"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// oneByOne is for outputs that write event by event, and never try again: file and console. They do so in the goroutine
// that calls Publish. What they count as acknowledged is counted here instead, where it is known.
type oneByOne struct {
	client
	torn  bool         // the last line may have been written in part
	flush func() error // nil where writing says it all
}

func newOneByOne(inner outputs.Client, o *observer, _ *conf.C, _ beat.Info) (outputs.Client, error) {
	return asNetwork(oneAtATime(inner, o), inner), nil
}

func oneAtATime(inner outputs.Client, o *observer) *oneByOne {
	o.split = true
	o.mute.Store(true)
	return &oneByOne{client: client{inner, o}}
}

// newConsole reaches for the buffer of libbeat's console output (libbeat/outputs/console/console.go). The output empties it
// after each batch and does not look at how that went; and a buffer that failed to write once never writes again.
func newConsole(inner outputs.Client, o *observer, _ *conf.C, _ beat.Info) (outputs.Client, error) {
	var writer *bufio.Writer
	if output := reflect.ValueOf(inner); output.Kind() == reflect.Pointer && output.Elem().Kind() == reflect.Struct {
		if field := output.Elem().FieldByName("writer"); field.IsValid() && field.Type() == reflect.TypeOf(writer) {
			writer = (*bufio.Writer)(field.UnsafePointer())
		}
	}
	if writer == nil {
		return nil, errors.New("the buffer of libbeat's console output is out of reach")
	}
	c := oneAtATime(inner, o)
	c.flush = func() error {
		err := writer.Flush()
		if err != nil {
			writer.Reset(os.Stdout)
		}
		return err
	}
	return asNetwork(c, inner), nil
}

func (c *oneByOne) Publish(ctx context.Context, batch publisher.Batch) error {
	events := batch.Events()
	c.observer.Observer.NewBatch(len(events))
	for i := range events {
		if c.write(ctx, events[i:i+1]) {
			c.observer.Observer.AckedEvents(1)
			continue
		}
		c.observer.Observer.PermanentErrors(1)
		reject(&events[i])
	}
	batch.ACK()
	return nil
}

// write tells whether the event has a line of its own. Where writing failed, a full disk has the beginning of a line, and
// what is written next stands behind it.
func (c *oneByOne) write(ctx context.Context, event []publisher.Event) bool {
	c.observer.takePermanent()
	a := &attempt{events: event}
	err := c.Client.Publish(ctx, a)
	failed := c.observer.writeFailed.Swap(false)
	if c.flush != nil && c.flush() != nil {
		failed = true
	}
	if failed {
		c.torn = true
		return false
	}
	if err != nil || a.end != done || c.observer.takePermanent() > 0 {
		return false
	}
	whole := !c.torn
	c.torn = false
	return whole
}
