// Command bench measures the real binary against a real lumberjack sink on this machine: the latency of a batch of
// one message, beside a raw lumberjack round trip through the same sink, and the throughput of many senders.
//
// Run it with "make bench". The figures of one run may be compared with each other, not with those of another
// machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	v2 "github.com/elastic/go-lumber/client/v2"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

func main() {
	binary := flag.String("binary", "build/rtbeat", "the rtbeat binary to measure")
	posts := flag.Int("posts", 200, "single-message batches for the latency")
	senders := flag.Int("senders", 16, "senders for the throughput")
	messages := flag.Int("messages", 500, "messages a batch for the throughput")
	duration := flag.Duration("duration", 10*time.Second, "how long the throughput is measured")
	flag.Parse()
	if err := run(*binary, *posts, *senders, *messages, *duration); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(binary string, posts, senders, messages int, duration time.Duration) error {
	sink, err := lumbersink.Listen("127.0.0.1:0", lumbersink.WithDiscard())
	if err != nil {
		return fmt.Errorf("starting the sink: %w", err)
	}
	defer sink.Close()
	home, err := os.MkdirTemp("", "rtbeat-bench-")
	if err != nil {
		return fmt.Errorf("making a home for rtbeat: %w", err)
	}
	defer func() { _ = os.RemoveAll(home) }() // what is left is in the folder for such things
	binary, err = filepath.Abs(binary)
	if err != nil {
		return fmt.Errorf("finding the binary: %w", err)
	}
	beat, err := startBeat(binary, home, sink.Addr())
	if err != nil {
		return err
	}
	defer beat.stop()

	raw, err := rawRoundTrips(sink.Addr(), posts)
	if err != nil {
		return fmt.Errorf("raw lumberjack round trips: %w", err)
	}
	print3("raw lumberjack round trip, 1 event", raw)
	single, err := beat.latencies(posts)
	if err != nil {
		return fmt.Errorf("single-message batches: %w", err)
	}
	print3("POST /in, 1 message", single)
	fmt.Printf("%-40s %.1f x\n", "ratio of the p50s", float64(percentile(single, 50))/float64(percentile(raw, 50)))

	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	load, err := beat.load(ctx, senders, messages)
	if err != nil {
		return fmt.Errorf("throughput: %w", err)
	}
	fmt.Printf("%-40s %.0f events/s, %.1f CPU s a million events, %d answers, all 200\n",
		fmt.Sprintf("%d senders x %d messages", senders, messages),
		float64(load.events)/load.took.Seconds(), load.cpu.Seconds()/float64(load.events)*1e6, len(load.latencies))
	print3("latency of those batches", load.latencies)
	return nil
}

// rawRoundTrips sends single events with go-lumber's own client, as libbeat's output does.
func rawRoundTrips(addr string, n int) (took []time.Duration, err error) {
	client, err := v2.SyncDial(addr, v2.CompressionLevel(3), v2.Timeout(30*time.Second))
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	event := []any{map[string]any{"@timestamp": time.Now(), "type": "rtbeat", "rxtxMsg": message(0)}}
	for range n {
		start := time.Now()
		if _, err := client.Send(event); err != nil {
			return nil, fmt.Errorf("sending: %w", err)
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

func percentile(took []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[(len(sorted)-1)*p/100]
}

func print3(what string, took []time.Duration) {
	fmt.Printf("%-40s p50 %v  p90 %v  p99 %v\n", what,
		percentile(took, 50).Round(time.Microsecond), percentile(took, 90).Round(time.Microsecond), percentile(took, 99).Round(time.Microsecond))
}
