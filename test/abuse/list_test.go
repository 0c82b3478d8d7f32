//go:build abuse

package abuse

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync/atomic"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// attacks, in the order of the table.
var attacks = []attack{
	{name: "slow headers", tool: slow("-H", "-c", "4000", "-r", "800", "-i", "1"), how: "slowhttptest -H, 4,000 connections"},
	{name: "slow body", tool: slow("-B", "-c", "4000", "-r", "800", "-i", "1", "-s", "8192", "-f", "application/json"), how: "slowhttptest -B, 4,000 connections"},
	{name: "slow read", tool: slow("-X", "-c", "4000", "-r", "800", "-k", "10"), how: "slowhttptest -X, 4,000 connections"},
	{name: "range", tool: slow("-R", "-c", "4000", "-r", "800"), how: "slowhttptest -R, 4,000 connections"},
	{name: "h2load", tls: true, tool: h2load(10, 100, 20), how: "h2load, 10 clients × 100 streams, 200 batches/s"},

	{name: "idle", attacker: "idle", how: "10,000 connections, 2,000/s"},
	{name: "dribble", attacker: "dribble", how: "2,000 connections with a byte a second"},
	{name: "long headers", attacker: "long headers", how: "4,000 connections with 16,000 bytes of headers, 400/s"},
	{name: "tiny headers", attacker: "tiny headers", how: "4,000 connections with 16,000 bytes of small headers, 400/s"},
	{name: "held bodies", attacker: "held bodies", how: "33 bodies of 1 MiB less a byte, held"},
	{name: "many held bodies", attacker: "many held bodies", how: "4,000 bodies of 8 KiB less a byte, held"},

	{name: "gzip bombs", attacker: "gzip bombs", how: "20/s, 256 MiB in 256 KiB, and 16 MiB of blanks"},
	{name: "zstd bombs", attacker: "zstd bombs", how: "20/s, 256 MiB in some KiB"},
	{name: "zstd windows", attacker: "zstd windows", how: "200 at a time, windows of 8 MiB, 20/s"},
	{name: "nested arrays", attacker: "nested arrays", how: "10/s, 16 MiB"},
	{name: "tiny objects in one", attacker: "tiny objects in one", how: "10/s, 16 MiB"},
	{name: "tiny messages", attacker: "tiny messages", valid: true, how: "2/s, 50,000 messages"},
	{name: "wide object", attacker: "wide object", how: "5/s, 16 MiB of keys, with blanks, escapes"},
	{name: "large batches", attacker: "large batches", valid: true, how: "2/s, 15 MiB of ordinary messages"},
	{name: "one-byte chunks", attacker: "one-byte chunks", how: "50/s, 20,000 chunks each"},

	{
		name: "401", attacker: "401", how: "2,000/s, 50 connections",
		settings: map[string]any{"auth": map[string]any{"bearer": map[string]any{"tokens": []string{tokenOfGood}}}},
	},
	{name: "404", attacker: "404", how: "2,000/s, 50 connections"},
	{name: "pipelining", attacker: "pipelining", how: "2,000/s, 100 at a time on 20 connections"},

	{name: "TLS handshakes", tls: true, attacker: "handshakes", how: "300/s"},
	{name: "TLS hellos", tls: true, attacker: "hellos", how: "300/s"},
	{name: "TLS idle", tls: true, attacker: "h2 idle", how: "2,000 connections of HTTP/2, 250/s"},
	{name: "h2 rapid reset", tls: true, attacker: "rapid reset", how: "10 connections, 500/s each"},
	{name: "h2 slow bodies", tls: true, attacker: "h2 slow bodies", how: "400 connections × 128 requests, 100/s, a byte a second"},
	{name: "h2 many headers", tls: true, attacker: "h2 many headers", how: "400 connections × 128 requests with 300 headers"},
	{name: "h2 large frames", tls: true, attacker: "h2 large frames", how: "1,000 connections announce a frame of 1 MiB"},
	{name: "h2 open headers", tls: true, attacker: "h2 open headers", how: "2,000 connections with headers that do not end"},

	{
		name: "stalled sink", attacker: "stalled sink", how: "50/s, 160 kB each, and a sink that acknowledges nothing", policy: lumbersink.Never(),
		refused: []string{"503 in_flight_limit", "503 output_stalled", "504 ack_timeout"},
	},
}

// resets is the number of reset requests, in the attacker's process.
var resets atomic.Int64

// attackers are the modes of an attacker process. Each ends with ctx and returns its report.
func attackers() map[string]func(context.Context, string) string {
	return map[string]func(context.Context, string) string{
		"idle":                idle(10_000, 2000),
		"dribble":             dribble(2000, 1000),
		"long headers":        keep(4000, 400, bigHeader(16_000, 1000)),
		"tiny headers":        keep(4000, 400, bigHeader(16_000, 6)),
		"held bodies":         heldBodies(33, 50, mib),
		"many held bodies":    heldBodies(4000, 1000, 8<<10),
		"gzip bombs":          bodyFlood(20, 10, "gzip-bomb", "gzip-fits", "gzip-objects"),
		"zstd bombs":          bodyFlood(20, 10, "zstd-bomb"),
		"zstd windows":        bodyFlood(20, 200, "zstd-window"),
		"nested arrays":       bodyFlood(10, 10, "too-deep", "deep-ignored", "nests"),
		"tiny objects in one": bodyFlood(10, 10, "objects-in-one", "lists-in-one", "numbers"),
		"tiny messages":       bodyFlood(2, 4, "empty-objects", "tiny-objects"),
		"wide object":         bodyFlood(5, 10, "wide", "blank", "escapes", "lines-blank"),
		"large batches":       bodyFlood(2, 4, "rxtx-large"),
		"one-byte chunks":     chunks(20, 50),
		"401":                 flood(50, 2000, 1, anyPost),
		"404":                 flood(50, 2000, 1, nothing),
		"pipelining":          flood(20, 2000, 100, emptyPost),
		"handshakes":          handshakes(300, 20),
		"hellos":              hellos(300, 20),
		"h2 idle":             over2(2000, 250, func(context.Context, *tls.Conn) {}),
		"rapid reset":         withCount(over2(10, 100, rapidReset(500, &resets)), &resets, "resets"),
		"h2 slow bodies":      over2(400, 100, streams2(128, 0)),
		"h2 many headers":     over2(400, 100, streams2(128, 300)),
		"h2 large frames":     over2(1000, 200, announce2(1<<20, 16<<10)),
		"h2 open headers":     over2(2000, 400, openHeaders2(2000)),
		"stalled sink":        bodyFlood(50, 400, "rxtx"),
	}
}

func withCount(do func(context.Context, string) string, n *atomic.Int64, what string) func(context.Context, string) string {
	return func(ctx context.Context, target string) string {
		return do(ctx, target) + fmt.Sprintf("; %d %s", n.Load(), what)
	}
}
