package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/test/bench/message"
)

// batchSize is how many events have one time, as the messages of a batch have.
const batchSize = 500

// inQueue is how many events libbeat's queue holds by default (libbeat/publisher/queue/memqueue/config.go).
const inQueue = 3200

// events makes the events that rtbeat would make (internal/publish/event.go).
type events struct {
	fields   *message.Fields
	made     int
	received time.Time
}

func newEvents() (*events, error) {
	fields, err := message.NewFields(batchSize)
	if err != nil {
		return nil, fmt.Errorf("preparing the events: %w", err)
	}
	return &events{fields: fields}, nil
}

func (e *events) next() beat.Event {
	if e.made%batchSize == 0 {
		e.received = time.Now()
	}
	e.made++
	fields, uuid := e.fields.Next()
	return beat.Event{
		Timestamp: e.received,
		Meta:      mapstr.M{"_id": uuid},
		Fields:    mapstr.M{"type": "rtbeat", "rxtxMsg": mapstr.M(fields), "clientIp": "127.0.0.1"},
	}
}

// generate makes events until in ends. It keeps as many as the queue would, so that the garbage collector finds as much.
func generate(in io.Reader, out *os.File) error {
	source, err := newEvents()
	if err != nil {
		return err
	}
	asked := make(chan struct{})
	go func() { // ends with in
		defer close(asked)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			asked <- struct{}{}
		}
	}()
	kept := make([]beat.Event, inQueue)
	for {
		select {
		case _, more := <-asked:
			if !more {
				return nil
			}
			if err := report(out, source.made); err != nil {
				return err
			}
		default:
		}
		for range batchSize {
			kept[source.made%inQueue] = source.next()
		}
	}
}
