//go:build abuse

package abuse

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

const (
	// loadTime is longer than timeout, so that batches answered 504 are in flight.
	loadTime    = 5500 * time.Millisecond
	hostile     = 48  // senders of hostile bodies
	stalled     = 120 // senders of large batches, while the sink acknowledges nothing
	perBatch    = 1200
	answerAgain = 20 * time.Second // until a good sender has its 200 after the load
)

// ofFiles is what the group should leave for pages of files. The binary's may count for this group: they count for the group that
// read them first.
const ofFiles = 16 * mib

// load is what senders do to rtbeat in a memory cgroup.
type load struct {
	name     string
	settings map[string]any
	tls      bool
	policy   lumbersink.Policy
	run      func(ctx context.Context, l *loaded) string
}

var loads = []load{
	{name: "hostile bodies", run: hostileBodies(slices.Sorted(maps.Keys(bodies))...)},
	{name: "hostile bodies, stalled sink", policy: lumbersink.Never(), run: hostileBodies(slices.Sorted(maps.Keys(bodies))...)},
	{name: "stalled sink", policy: lumbersink.Never(), run: largeBatches},
	{name: "idle connections, stalled sink", policy: lumbersink.Never(), run: manyConnections},
	{
		name: "TLS, compressed", tls: true, policy: lumbersink.Never(),
		run: hostileBodies("gzip-bomb", "gzip-fits", "gzip-objects", "gzip-rxtx", "zstd-bomb", "zstd-window"),
	},
	{name: "TLS, HTTP/2, idle connections", tls: true, policy: lumbersink.Never(), run: manyStreams},
	{name: "durable, stalled sink", settings: map[string]any{"durable": map[string]any{"max_bytes": "512MiB"}}, policy: lumbersink.Never(), run: largeBatches},
	{
		name: "durable, hostile bodies", settings: map[string]any{"durable": map[string]any{"max_bytes": "512MiB"}},
		policy: lumbersink.Never(), run: hostileBodies(slices.Sorted(maps.Keys(bodies))...),
	},
}

// TestLimits runs rtbeat with the default settings in memory cgroups. No load may exceed a limit, and a good sender has its 200 after
// each.
func TestLimits(t *testing.T) {
	var table strings.Builder
	table.WriteString("| limit MiB | load | in flight | memory MiB | anonymous | with files | answers | good again |\n|--:|---|--:|--:|--:|--:|---|--:|\n")
	for _, mib := range []int64{64, 96, 128, 256, 512} {
		t.Run(fmt.Sprint(mib), func(t *testing.T) {
			for _, l := range loads {
				t.Run(l.name, func(t *testing.T) { table.WriteString(runLoad(t, mib<<20, l)) })
			}
		})
	}
	fmt.Fprint(os.Stderr, "\n", table.String())
}

// loaded is rtbeat under a load.
type loaded struct {
	*running
	load        load
	inFlight    int // limit in bytes
	connections int
}

func runLoad(t *testing.T, limit int64, l load) string {
	t.Helper()
	group, err := newCgroup(t, limit)
	if err != nil {
		t.Skipf("this test needs a memory limit: %v", err)
	}
	sink := harness.StartSink(t, lumbersink.Immediate())
	_, port := harness.FreeAddress(t)
	settings := map[string]any{"admin": map[string]any{"host": "127.0.0.1", "port": port}}
	scheme := "http://"
	if l.tls {
		cert, key := certificate(t)
		settings["ssl"] = map[string]any{"certificate": cert, "key": key}
		scheme = "https://"
	}
	maps.Copy(settings, l.settings)
	r := &loaded{running: &running{cgroup: group, sink: sink}, load: l}
	all := harness.Settings{Rtbeat: settings, Sink: sink.Addr()}
	confine(group, &all)
	r.Beat = harness.StartBeat(t, all)
	r.url = scheme + r.Addr + "/in"
	metrics := r.Metrics()
	r.inFlight, r.connections = int(metrics["rtbeat_in_flight_bytes_limit"]), int(metrics["rtbeat_connections_limit"])

	watched := watch(t, group)
	r.sink.SetPolicy(l.policy)
	ctx, cancel := context.WithTimeout(t.Context(), loadTime)
	defer cancel()
	answers := l.run(ctx, r)
	again := r.answersAgain(t)
	most := watched()
	line := fmt.Sprintf("| %d | %s | %.1f MiB | %.1f | %.1f | %.1f | %s | %s |\n", limit>>20, l.name, float64(r.inFlight)/mib,
		float64(most.memory)/mib, float64(most.anonymous)/mib, float64(group.peak())/mib, answers, again.Round(10*time.Millisecond))
	t.Log(line)
	require.False(t, group.killed(), "killed at the memory limit\n%s", line)
	require.LessOrEqual(t, most.memory, limit-ofFiles, "the rest is for the pages of the binary")
	require.Positive(t, again, "no 200 after the load\n%s", r.Log.Tail(20))
	return line
}

// usage is memory in bytes.
type usage struct{ memory, anonymous int64 }

// watch samples the memory of a group until the function it returns is called, which returns the most.
func watch(t *testing.T, g cgroup) func() usage {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var most usage
	var group sync.WaitGroup
	group.Go(func() {
		for ctx.Err() == nil {
			most.memory = max(most.memory, g.memory())
			most.anonymous = max(most.anonymous, g.anonymous())
			harness.Pause(ctx, 20*time.Millisecond)
		}
	})
	return func() usage { cancel(); group.Wait(); return most }
}

// dial connects, with TLS if rtbeat has it.
func (l *loaded) dial(ctx context.Context) (net.Conn, error) {
	c, err := dial(ctx, l.Addr)
	if err != nil || !l.load.tls {
		return c, err
	}
	s := tls.Client(c, tlsConfig())
	if err := s.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	return s, nil
}

func (l *loaded) exchange(ctx context.Context, request []byte) int {
	c, err := l.dial(ctx)
	if err != nil {
		return 0
	}
	return exchangeOn(c, request)
}

// repeat sends requests from many senders until ctx ends. Each sender begins at another one.
func (l *loaded) repeat(ctx context.Context, senders int, requests [][]byte) string {
	// Senders wait for their last answers.
	defer context.AfterFunc(ctx, func() { harness.RecoverSink(l.sink) })()
	var t tally
	var group sync.WaitGroup
	for i := range senders {
		group.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				code := l.exchange(ctx, requests[n%len(requests)])
				t.add(code)
				if code == http.StatusServiceUnavailable || code == 0 {
					harness.Pause(ctx, 10*time.Millisecond)
				}
			}
		})
	}
	group.Wait()
	return t.String()
}

// hostileBodies sends bodies of these names: the largest that may be in flight, smaller ones, and larger ones.
func hostileBodies(names ...string) func(ctx context.Context, l *loaded) string {
	return func(ctx context.Context, l *loaded) string {
		var requests [][]byte
		for _, size := range []int{l.inFlight / 2, l.inFlight / 16, fullBody} {
			for _, name := range names {
				requests = append(requests, sized(name, size))
			}
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTime) // making the bodies took time
		defer cancel()
		return l.repeat(ctx, hostile, requests)
	}
}

type nameAndSize struct {
	name string
	size int
}

var (
	made   = make(map[nameAndSize][]byte)
	making sync.Mutex
)

// sized makes each request once: compressing takes seconds.
func sized(name string, size int) []byte {
	making.Lock()
	defer making.Unlock()
	key := nameAndSize{name, size}
	if made[key] == nil {
		made[key] = bodies[name](size).request()
	}
	return made[key]
}

// largeBatches sends batches as rxtx does, and smaller ones.
func largeBatches(ctx context.Context, l *loaded) string {
	var requests [][]byte
	for _, n := range []int{perBatch, perBatch, perBatch / 10, 10} {
		requests = append(requests, body{"", messages(rxtxLike, n, fullBody)}.request())
	}
	return l.repeat(ctx, stalled, requests)
}

type connections []net.Conn

func (all connections) close() {
	for _, c := range all {
		_ = c.Close()
	}
}

// manyConnections opens more connections than rtbeat takes. Half of them are used once. Then it sends batches.
func manyConnections(ctx context.Context, l *loaded) string {
	var open connections
	defer func() { open.close() }()
	for i := range l.connections * 5 / 4 {
		c, err := l.dial(ctx)
		if err != nil {
			break
		}
		open = append(open, c)
		if i%2 == 0 {
			_, _ = c.Write([]byte(emptyPost))
		} else {
			_, _ = c.Write(bigHeader(7<<10, 1000))
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTime)
	defer cancel()
	return l.manySenders(ctx)
}

// manySenders sends batches from more senders than there may be connections.
func (l *loaded) manySenders(ctx context.Context) string {
	var requests [][]byte
	for _, n := range []int{10, 100, 10, perBatch} {
		requests = append(requests, body{"", messages(rxtxLike, n, fullBody)}.request())
	}
	return l.repeat(ctx, min(l.connections, 300), requests)
}

// manyStreams opens as many connections of HTTP/2 as rtbeat takes, with requests whose bodies do not end. Then it sends batches.
func manyStreams(ctx context.Context, l *loaded) string {
	var open connections
	defer func() { open.close() }()
	for i := range l.connections * 5 / 4 {
		raw, err := dial(ctx, l.Addr)
		if err != nil {
			break
		}
		open = append(open, raw)
		c, err := connect2(ctx, raw)
		if err != nil {
			continue
		}
		go waitClosed(c)
		var b bytes.Buffer
		for s := range 32 {
			id := uint32(2*s + 1)
			b.Write(frame(frameHeaders, flagEndHeaders, id, post2(10*(i%10))))
			b.Write(frame(frameData, 0, id, bytes.Repeat([]byte(" "), 1<<10)))
		}
		_, _ = c.Write(b.Bytes())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTime)
	defer cancel()
	return l.manySenders(ctx)
}

// answersAgain returns the time until a good batch has its 200, and 0 if it has none.
func (l *loaded) answersAgain(t *testing.T) time.Duration {
	t.Helper()
	begun := time.Now()
	request := body{"", messages(rxtxLike, batchSize, mib)}.request()
	for time.Since(begun) < answerAgain {
		if l.exchange(t.Context(), request) == http.StatusOK {
			return time.Since(begun)
		}
		harness.Pause(t.Context(), 50*time.Millisecond)
	}
	return 0
}
