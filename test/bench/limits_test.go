package bench

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/bench/message"
	"github.com/txn2/rtbeat/test/harness"
)

// The defaults of libbeat's Logstash output (libbeat/outputs/logstash/config.go).
const (
	windowSize       = 2048
	compressionLevel = 3
	inFlight         = 1 // pipelining - 1
)

// protocol measures go-lumber's own client with prepared events.
func (b *bench) protocol() sample { return b.watch(b.startChild(childProtocol)) }

// ceiling measures libbeat with a generator of events.
func (b *bench) ceiling() sample {
	home := b.t.TempDir()
	file := harness.Settings{Sink: b.sink.Addr(), Queue: map[string]any{"flush.timeout": "0s"}}.WriteConfig(b.t, home) // as rtbeat has it
	return b.watch(b.startHelper(*ceiling, "-e", "--strict.perms=false", "--path.home", home, "-c", file))
}

// watch measures a helper that publishes until its standard input ends, in the middle of its run.
func (b *bench) watch(h *helper) sample {
	start := b.sink.Received()
	harness.Arrived(b.t, b.sink, start+1)
	time.Sleep(warmUp)
	before := b.read(h.pid())
	time.Sleep(*duration)
	s := before.until(b.read(h.pid()))
	require.Positive(b.t, s.events)
	var account struct{ Published, Acked int }
	require.NoError(b.t, json.Unmarshal([]byte(h.end()), &account))
	require.Equal(b.t, account.Published, account.Acked)
	b.arrived(start, account.Acked)
	return s
}

// generate measures the making of the ceiling's events.
func (b *bench) generate() sample {
	h := b.startHelper(*ceiling, "generate")
	before := b.read(h.pid())
	time.Sleep(warmUp + *duration)
	s := before.until(b.read(h.pid()))
	var made struct {
		Events    int
		Wall, CPU float64 // seconds, without the start of the process
	}
	require.NoError(b.t, json.Unmarshal([]byte(h.end()), &made))
	s.events, s.wall, s.cpu = made.Events, made.Wall, made.CPU
	return s
}

// capture writes one window of events, as rtbeat sends them, into a file.
func (b *bench) capture() string {
	sink := b.listen(lumbersink.WithKeep(windowSize))
	beat := b.start(defaults, sink)
	defer beat.Stop()
	senders := b.connect(beat, load{senders: 1, messages: windowSize})
	defer closeAll(senders)
	require.NoError(b.t, senders[0].send())
	var lines bytes.Buffer
	for _, event := range sink.Events() {
		lines.Write(event.Raw)
		lines.WriteByte('\n')
	}
	path := filepath.Join(b.t.TempDir(), "window.ndjson")
	require.NoError(b.t, os.WriteFile(path, lines.Bytes(), 0o600))
	return path
}

// singles are requests of one message, and raw lumberjack round trips.
type singles struct{ posts, raw []time.Duration }

// uncounted requests come first.
const uncounted = 100

// singleRequests posts one message at a time to an idle rtbeat. Between two requests, a client on rtbeat's core sends one event
// straight to the sink: the least that each answer has to wait for.
func (b *bench) singleRequests() (found singles) {
	senders := b.connect(b.beat(defaults), load{senders: 1, messages: 1, size: message.Small})
	defer closeAll(senders)
	raw := b.startChild(childRoundTrip)
	defer raw.end()
	before := b.sink.Received()
	for i := range uncounted + b.posts {
		start := time.Now()
		require.NoError(b.t, senders[0].send())
		took := time.Since(start)
		ns, err := strconv.ParseInt(raw.ask(), 10, 64)
		require.NoError(b.t, err)
		if i >= uncounted {
			found.posts = append(found.posts, took)
			found.raw = append(found.raw, time.Duration(ns))
		}
	}
	b.arrived(before, 2*(uncounted+b.posts))
	return found
}
