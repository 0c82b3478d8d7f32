package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/bench/message"
)

// What libbeat's Logstash output does by default (libbeat/outputs/logstash/config.go).
const (
	windowSize       = 2048
	compressionLevel = 3
	inFlight         = 1 // pipelining - 1
)

// published is what a process says of itself in the end.
type published struct{ Published, Acked int }

// watchPublisher measures a process that publishes until its standard input ends, ends it, and checks its account.
func (b *bench) watchPublisher(ctx context.Context, p *process) (sample, error) {
	before := b.sink.Received()
	started, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := b.sink.Wait(started, before+1); err != nil {
		return sample{}, errors.Join(fmt.Errorf("waiting for %s to publish: %w", p.name, err), p.cmd.Process.Kill(), p.wait())
	}
	s, err := watch(ctx, p, b.sink, warmUp, b.options.duration)
	last, ended := p.finish()
	if err := errors.Join(err, ended); err != nil {
		return s, err
	}
	var account published
	if err := json.Unmarshal([]byte(last), &account); err != nil {
		return s, fmt.Errorf("reading the account of %s: %w", p.name, err)
	}
	if account.Published != account.Acked {
		return s, fmt.Errorf("checking the account of %s: %d events published, %d acknowledged", p.name, account.Published, account.Acked)
	}
	return s, arrived(b.sink, before, account.Acked)
}

// protocol measures go-lumber's own client with events that are ready made.
func (b *bench) protocol(ctx context.Context) (sample, error) {
	p, err := b.startChild(ctx, childProtocol)
	if err != nil {
		return sample{}, err
	}
	return b.watchPublisher(ctx, p)
}

// generate measures what making the ceiling's events takes.
func (b *bench) generate(ctx context.Context) (sample, error) {
	p, err := start(ctx, b.cores.measured, nil, b.options.ceiling, "generate")
	if err != nil {
		return sample{}, err
	}
	read := func() (r reading, err error) {
		said, err := p.ask()
		if err != nil {
			return r, err
		}
		made, err := strconv.Atoi(said)
		if err != nil {
			return r, fmt.Errorf("reading how many events were made: %w", err)
		}
		r, err = readCounters(p, b.sink)
		r.received = made
		return r, err
	}
	if _, err := read(); err != nil {
		return sample{}, err
	}
	if err := pause(ctx, warmUp); err != nil {
		return sample{}, err
	}
	before, err := read()
	if err != nil {
		return sample{}, err
	}
	if err := pause(ctx, b.options.duration); err != nil {
		return sample{}, err
	}
	after, err := read()
	_ = p.stdin.Close() // which ends it
	return before.until(after), errors.Join(err, p.wait())
}

// capture writes one window of events as rtbeat sends them, for those who send them ready made.
func (b *bench) capture(ctx context.Context) (err error) {
	sink, err := lumbersink.Listen("127.0.0.1:0", lumbersink.WithKeep(windowSize))
	if err != nil {
		return fmt.Errorf("starting a sink to capture events: %w", err)
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	beat, err := startBeat(ctx, b.cores.measured, b.options.binary, sink.Addr())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, beat.stop()) }()
	c, err := dial(ctx, beat.address)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.post(message.NewBody(windowSize, message.Small).Numbered(ids.Add(windowSize)), ""); err != nil {
		return fmt.Errorf("capturing events: %w", err)
	}
	var lines bytes.Buffer
	for _, event := range sink.Events() {
		lines.Write(event.Raw)
		lines.WriteByte('\n')
	}
	b.window = filepath.Join(b.folder, "window.ndjson")
	if err := os.WriteFile(b.window, lines.Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing the captured events: %w", err)
	}
	return nil
}
