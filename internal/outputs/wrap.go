package outputs

import (
	"fmt"
	"reflect"
	"sync"
	_ "unsafe" // for go:linkname

	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/elastic-agent-libs/testing"
)

// factories is libbeat's table of outputs (libbeat/outputs/output_reg.go). It is private, and libbeat has no way to replace an
// entry: RegisterType panics at a known name, and libbeat reads the table before there is a Beater.
//
//go:linkname factories github.com/elastic/beats/v7/libbeat/outputs.outputReg
var factories map[string]outputs.Factory

// wrappers are for the outputs that Confirms knows.
var wrappers = map[string]func(made outputs.Factory) outputs.Factory{
	"elasticsearch": wrapElasticsearch,
	"file":          wrapFile,
	"logstash":      wrapLogstash,
}

// Confirms tells whether rtbeat knows which events the output of this name gave up.
func Confirms(name string) bool { return wrappers[name] != nil }

// Wrap puts the wrappers in libbeat's table. Call it before libbeat makes its pipeline. After an error rtbeat must not start:
// a 200 would cover events that were given up.
var Wrap = sync.OnceValue(func() error {
	for name, wrap := range wrappers {
		made := outputs.FindFactory(name)
		if made == nil || factories == nil {
			return fmt.Errorf("libbeat has no output %s", name)
		}
		factories[name] = wrap(made)
		if reflect.ValueOf(outputs.FindFactory(name)).Pointer() == reflect.ValueOf(made).Pointer() {
			return fmt.Errorf("libbeat's output %s cannot be wrapped", name)
		}
	}
	return nil
})

func reject(events []publisher.Event) {
	for i := range events {
		if r, ok := events[i].Content.Private.(interface{ Reject() }); ok {
			r.Reject()
		}
	}
}

// pendingBatch goes to an output in place of libbeat's batch, and records how the output ends it. It is for outputs that end
// a batch before Publish returns.
type pendingBatch struct {
	events  []publisher.Event
	halve   func() bool       // libbeat's SplitRetry; nil for a single event
	isEnded bool              // by any of the methods below
	isSplit bool              // libbeat has the halves
	dropped bool              // all events
	retry   []publisher.Event // events to send again
}

func (b *pendingBatch) Events() []publisher.Event { return b.events }
func (b *pendingBatch) ACK()                      { b.isEnded = true }
func (b *pendingBatch) Drop()                     { b.isEnded, b.dropped = true, true }
func (b *pendingBatch) Retry()                    { b.RetryEvents(b.events) }
func (b *pendingBatch) Cancelled()                { b.RetryEvents(b.events) }

func (b *pendingBatch) RetryEvents(events []publisher.Event) { b.isEnded, b.retry = true, events }

func (b *pendingBatch) SplitRetry() bool {
	b.isSplit = b.halve != nil && b.halve()
	return b.isSplit
}

// testOutput is `rtbeat test output` for one client.
func testOutput(client outputs.Client, d testing.Driver) {
	if c, ok := client.(testing.Testable); ok {
		c.Test(d)
		return
	}
	d.Warn("output", "there is no test for this output")
}
