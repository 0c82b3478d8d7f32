package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	v2 "github.com/elastic/go-lumber/client/v2"
)

// childCommand is the first argument of a bench that the bench itself has started. The others are what it is to do, the
// sink's address, and the file of captured events.
const childCommand = "child"

const (
	childProtocol  = "protocol"
	childRoundTrip = "roundtrip"
)

// startChild starts this program once more, on the measured core.
func (b *bench) startChild(ctx context.Context, what string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	return start(ctx, b.cores.measured, nil, self, childCommand, what, b.sink.Addr(), b.window)
}

func child(args []string) error {
	if len(args) != 3 {
		return errors.New("starting a child: want what to do, an address and a file")
	}
	ballast := make([]byte, 32<<20) // as rtbeat has it (beater/heapfloor.go)
	defer runtime.KeepAlive(ballast)
	address := args[1]
	captured, err := os.ReadFile(args[2])
	if err != nil {
		return fmt.Errorf("reading the captured events: %w", err)
	}
	var window []any
	for line := range bytes.Lines(captured) {
		window = append(window, bytes.TrimSpace(line))
	}
	options := []v2.Option{
		v2.CompressionLevel(compressionLevel),
		v2.Timeout(startTimeout),
		v2.JSONEncoder(func(v any) ([]byte, error) { return v.([]byte), nil }),
	}
	switch args[0] {
	case childProtocol:
		return sendWindows(address, window, options)
	case childRoundTrip:
		return roundTrips(address, window[:1], options)
	}
	return fmt.Errorf("starting a child: %q is unknown", args[0])
}

// sendWindows sends the window again and again, as libbeat's output sends its own, until the standard input ends.
func sendWindows(address string, window []any, options []v2.Option) error {
	client, err := v2.AsyncDial(address, inFlight, options...)
	if err != nil {
		return fmt.Errorf("connecting to the sink: %w", err)
	}
	var stopped atomic.Bool
	go func() { // ends with the standard input
		_, _ = io.Copy(io.Discard, os.Stdin)
		stopped.Store(true)
	}()
	var (
		account published
		acks    sync.WaitGroup
		acked   atomic.Int64
	)
	for !stopped.Load() {
		acks.Add(1)
		account.Published += len(window)
		err := client.Send(func(n uint32, _ error) { // what is missing in the end, the account shows
			acked.Add(int64(n))
			acks.Done()
		}, window)
		if err != nil {
			return errors.Join(fmt.Errorf("sending a window: %w", err), client.Close())
		}
	}
	acks.Wait() // the client has a time limit for each
	account.Acked = int(acked.Load())
	if err := json.NewEncoder(os.Stdout).Encode(account); err != nil {
		return fmt.Errorf("reporting: %w", err)
	}
	return client.Close()
}

// roundTrips sends the window once for each line that it reads, and prints how many nanoseconds that took.
func roundTrips(address string, window []any, options []v2.Option) error {
	client, err := v2.SyncDial(address, options...)
	if err != nil {
		return fmt.Errorf("connecting to the sink: %w", err)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		start := time.Now()
		if _, err := client.Send(window); err != nil {
			return errors.Join(fmt.Errorf("sending an event: %w", err), client.Close())
		}
		fmt.Println(time.Since(start).Nanoseconds())
	}
	return client.Close()
}
