package durable

import (
	"fmt"

	"golang.org/x/time/rate"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/processors"
	"github.com/elastic/beats/v7/libbeat/publisher/processing"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/persist"
)

// Fits says why the disk queue cannot carry a message; nil when it can. Nothing of the message is changed: that is done
// after the processors, which are to see it as it was sent.
func Fits(fields map[string]any) error {
	_, _, err := persist.Fit(fields)
	return err //nolint:wrapcheck // its text is for the sender, and says what is wrong with which value
}

// fitting makes each event safe for the disk queue, after all processors: they may make of a message what the queue
// cannot carry, decode_json_fields for one.
type fitting struct {
	processing.Supporter
	largest uint64 // event that the queue takes
	log     *logp.Logger
}

// Create is called by libbeat for each client.
func (f fitting) Create(c beat.ProcessingConfig, drop bool) (beat.Processor, error) {
	if c.Private == nudging {
		return nil, nil //nolint:nilnil // its event has been through the processors
	}
	inner, err := f.Supporter.Create(c, drop)
	if err != nil {
		return nil, err //nolint:wrapcheck // a decorator: libbeat is to see the error of what it decorates
	}
	return &fitter{inner: inner, largest: f.largest, log: f.log, refusals: rate.Sometimes{Interval: refusalInterval}}, nil
}

type fitter struct {
	inner    beat.Processor
	largest  uint64
	log      *logp.Logger
	refusals rate.Sometimes
}

const refusalInterval = 1e9 // a sender can cause one with each request

func (*fitter) String() string { return "disk_queue" }

// Run returns the event as the disk queue can carry it. For one that it cannot carry it panics, as a processor might:
// the publisher fails its batch then. An error would do for libbeat, but would look as if the event had been dropped
// on purpose, and be answered 200.
func (f *fitter) Run(event *beat.Event) (*beat.Event, error) {
	event, err := f.inner.Run(event)
	if event == nil || err != nil {
		return event, err //nolint:wrapcheck // a decorator: libbeat is to see the error of what it decorates
	}
	if err := f.fit(event); err != nil {
		f.refusals.Do(func() {
			f.log.Errorw("an event cannot be carried by the disk queue, as the processors left it: its batch is answered 500", "error.message", err.Error())
		})
		panic(err)
	}
	return event, nil
}

func (f *fitter) fit(event *beat.Event) error {
	fields, report, err := persist.Fit(event.Fields)
	if err != nil {
		return err //nolint:wrapcheck // its text is for the sender, and says what is wrong with which value
	}
	meta, metaReport, err := persist.Fit(event.Meta)
	if err != nil {
		return err //nolint:wrapcheck // its text is for the sender, and says what is wrong with which value
	}
	if size := uint64(report.Size + metaReport.Size + persist.Overhead); size > f.largest { //nolint:gosec // not negative
		return fmt.Errorf("an event of %s is larger than a segment of the disk queue, %s", bytes(size), bytes(f.largest))
	}
	event.Fields, event.Meta = mapstr.M(fields), mapstr.M(meta)
	return nil
}

// Close is called by libbeat when the client is closed.
func (f *fitter) Close() error { return processors.Close(f.inner) }
