package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/common/acker"
)

// ackTimeout bounds the wait for the last acknowledgements.
const ackTimeout = 30 * time.Second

// publisher publishes events until its standard input ends. It does not wait for a signal: libbeat would close the pipeline
// first, and count what it drops as acknowledged.
type publisher struct {
	source  *events
	acked   atomic.Int64
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
	normalize := false // the rest of these settings is rtbeat's too (internal/publish/publisher.go)
	client, err := b.Publisher.ConnectWith(beat.ClientConfig{
		PublishMode: beat.GuaranteedSend,
		Processing:  beat.ProcessingConfig{EventNormalization: &normalize, KeepNull: true},
		EventListener: acker.RawCounting(func(n int) { // the cheapest there is
			p.acked.Add(int64(n))
			select {
			case progress <- struct{}{}:
			default:
			}
		}),
	})
	if err != nil {
		return fmt.Errorf("connecting to the publisher pipeline: %w", err)
	}
	go func() { // ends with the standard input, at the latest with the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		p.Stop()
	}()
	for !p.stopped.Load() {
		client.Publish(p.source.next())
	}
	timeout := time.NewTimer(ackTimeout)
	defer timeout.Stop()
	for p.acked.Load() < int64(p.source.made) {
		select {
		case <-progress:
		case <-timeout.C:
			return errors.New("waiting for the last acknowledgements: timed out")
		}
	}
	if err := report(os.Stdout, map[string]int64{"published": int64(p.source.made), "acked": p.acked.Load()}); err != nil {
		return err
	}
	return client.Close()
}

// Stop ends the publishing. libbeat calls it on a signal.
func (p *publisher) Stop() { p.stopped.Store(true) }
