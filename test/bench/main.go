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
	rounds := flag.Int("rounds", 3, "how often the throughput is measured, with and without joining retries in turns")
	posts := flag.Int("posts", 200, "single-message batches for the latency")
	senders := flag.Int("senders", 16, "senders for the throughput")
	messages := flag.Int("messages", 500, "messages a batch for the throughput")
	duration := flag.Duration("duration", 10*time.Second, "how long the throughput is measured")
	flag.Parse()
	if err := run(*binary, *rounds, *posts, *senders, *messages, *duration); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(binary string, rounds, posts, senders, messages int, duration time.Duration) error {
	sink, err := lumbersink.Listen("127.0.0.1:0", lumbersink.WithDiscard())
	if err != nil {
		return fmt.Errorf("starting the sink: %w", err)
	}
	defer sink.Close()
	binary, err = filepath.Abs(binary)
	if err != nil {
		return fmt.Errorf("finding the binary: %w", err)
	}
	beat, err := startBeat(binary, sink.Addr())
	if err != nil {
		return err
	}
	defer beat.stop()
	plain, err := startBeat(binary, sink.Addr(), "rtbeat.dedupe.enabled: false")
	if err != nil {
		return err
	}
	defer plain.stop()

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

	fmt.Printf("\n%d senders x %d messages, %v each\n", senders, messages, duration)
	for range rounds {
		if err := errors.Join(
			beat.throughput("dedupe.enabled: true", senders, messages, duration),
			plain.throughput("dedupe.enabled: false", senders, messages, duration),
		); err != nil {
			return fmt.Errorf("throughput: %w", err)
		}
	}
	return nil
}

// throughput measures one round and prints it.
func (b *beat) throughput(name string, senders, messages int, duration time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	load, err := b.load(ctx, senders, messages)
	if err != nil {
		return err
	}
	fmt.Printf("%-22s %6.0f events/s, %5.2f CPU s a million events, %d answers, all 200, p50 %v p99 %v\n", name,
		float64(load.events)/load.took.Seconds(), load.cpu.Seconds()/float64(load.events)*1e6, len(load.latencies),
		percentile(load.latencies, 50).Round(time.Microsecond), percentile(load.latencies, 99).Round(time.Microsecond))
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
