package main

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/common/acker"
)

// ackTimeout bounds the wait for the last acknowledgements.
const ackTimeout = 30 * time.Second

// publisher publishes until its standard input ends. A signal would end it wrong: libbeat closes the pipeline first, and counts
// dropped events as acknowledged.
type publisher struct {
	source  *events
	stopped atomic.Bool
}

func newPublisher() (*publisher, error) {
	source, err := newEvents()
	if err != nil {
		return nil, err
	}
	return &publisher{source: source}, nil
}

// Run publishes. libbeat calls it, and the process ends when it returns.
func (p *publisher) Run(b *beat.Beat) error {
	progress := make(chan struct{}, 1)
	var acked atomic.Int64
	normalize := false // the other settings are rtbeat's too (internal/publish/publisher.go)
	client, err := b.Publisher.ConnectWith(beat.ClientConfig{
		PublishMode: beat.GuaranteedSend,
		Processing:  beat.ProcessingConfig{EventNormalization: &normalize, KeepNull: true},
		EventListener: acker.RawCounting(func(n int) { // the cheapest listener of libbeat
			acked.Add(int64(n))
			select {
			case progress <- struct{}{}:
			default:
			}
		}),
	})
	if err != nil {
		return fmt.Errorf("connecting to the publisher pipeline: %w", err)
	}
	onEnd(p.Stop)
	for !p.stopped.Load() {
		client.Publish(p.source.next())
	}
	for timeout := time.After(ackTimeout); acked.Load() < int64(p.source.made); {
		select {
		case <-progress:
		case <-timeout:
			return errors.New("waiting for the last acknowledgements: timed out")
		}
	}
	if err := report(map[string]int64{"published": int64(p.source.made), "acked": acked.Load()}); err != nil {
		return err
	}
	return client.Close()
}

// Stop ends the publishing. libbeat calls it on a signal.
func (p *publisher) Stop() { p.stopped.Store(true) }
