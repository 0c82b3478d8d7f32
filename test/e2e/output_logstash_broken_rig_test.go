//go:build e2e

package e2e

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// brokenLogstash is a lumberjack server that fails at every third window, with the next of windowFaults each time. The output
// must not compress.
type brokenLogstash struct {
	listener    net.Listener
	connections sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]bool
	well   bool // fails no more
	window int
	events []lumbersink.Event
	met    map[string]int // windows that failed in this way
}

// windowReply answers a window of count received events. It calls acked to record that the first n of them are acknowledged.
// false cuts the connection.
type windowReply func(conn net.Conn, count int, acked func(n int)) bool

// windowFaults are the ways to fail. Faults without a reply cut the connection before the end of the window.
var windowFaults = []struct {
	name  string
	reply windowReply
}{
	{"cut before the window", nil},
	{"cut after the size of the window", nil},
	{"cut inside a frame", nil},
	{"cut between frames", nil},
	{"cut before the acknowledgement", func(net.Conn, int, func(int)) bool { return false }},
	{"cut after a keep-alive", func(conn net.Conn, _ int, _ func(int)) bool { sendAck(conn, 0); return false }},
	{"cut inside the acknowledgement", func(conn net.Conn, count int, _ func(int)) bool {
		_, _ = conn.Write(ackFrame(count)[:5]) // its first bytes are no large number
		return false
	}},
	{"cut after part of the acknowledgements", func(conn net.Conn, count int, acked func(int)) bool {
		acked(count / 2)
		sendAck(conn, count/2)
		return false
	}},
	{"cut after the acknowledgement", func(conn net.Conn, count int, acked func(int)) bool {
		acked(count)
		sendAck(conn, count)
		return false
	}},
	{"silent after part of the acknowledgements", func(conn net.Conn, count int, acked func(int)) bool {
		acked(count / 2)
		sendAck(conn, count/2)
		_, _ = io.Copy(io.Discard, conn) // until the output closes it
		return false
	}},
	{"one acknowledgement for each event", func(conn net.Conn, count int, acked func(int)) bool {
		for n := range count {
			acked(n + 1)
			sendAck(conn, n+1)
		}
		return true
	}},
	{"acknowledgements that go back", func(conn net.Conn, count int, acked func(int)) bool {
		acked(count - 1)
		sendAck(conn, count-1)
		sendAck(conn, 0)
		return false
	}},
	{"more acknowledged than sent", func(conn net.Conn, count int, acked func(int)) bool {
		acked(count)
		sendAck(conn, count+1)
		return true
	}},
	{"no acknowledgement but something else", func(conn net.Conn, count int, _ func(int)) bool {
		frame := ackFrame(count)
		frame[1] = 'X'
		_, _ = conn.Write(frame)
		return true
	}},
}

func acknowledge(conn net.Conn, count int, acked func(int)) bool {
	acked(count)
	sendAck(conn, count)
	return true
}

func ackFrame(n int) []byte { return binary.BigEndian.AppendUint32([]byte("2A"), uint32(n)) }

// sendAck ignores errors: the output must notice a lost ack.
func sendAck(conn net.Conn, n int) { _, _ = conn.Write(ackFrame(n)) }

func startBrokenLogstash(t testing.TB) *brokenLogstash {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &brokenLogstash{listener: listener, open: make(map[net.Conn]bool), met: make(map[string]int)}
	b.connections.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.open[conn] = true
			b.mu.Unlock()
			b.connections.Go(func() { b.serve(conn) })
		}
	})
	t.Cleanup(b.die)
	return b
}

// die cuts every connection and closes the port.
func (b *brokenLogstash) die() {
	_ = b.listener.Close()
	b.mu.Lock()
	for conn := range b.open {
		_ = conn.Close()
	}
	b.mu.Unlock()
	b.connections.Wait()
}

// recover makes the server fail no more.
func (b *brokenLogstash) recover() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.well = true
}

// received are the events of complete windows.
func (b *brokenLogstash) received() []lumbersink.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]lumbersink.Event(nil), b.events...)
}

// failed is the count of the rarest fault.
func (b *brokenLogstash) failed() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	rarest := b.met[windowFaults[0].name]
	for _, f := range windowFaults {
		rarest = min(rarest, b.met[f.name])
	}
	return rarest
}

func (b *brokenLogstash) serve(conn net.Conn) {
	defer func() {
		b.mu.Lock()
		delete(b.open, conn)
		b.mu.Unlock()
		if rand.IntN(2) == 0 {
			_ = conn.(*net.TCPConn).SetLinger(0) // a reset
		}
		_ = conn.Close()
	}()
	in := bufio.NewReader(conn)
	for {
		if _, err := in.Peek(1); err != nil {
			return
		}
		fault, answer := b.next()
		events, ok := readWindow(in, fault)
		if !ok {
			return
		}
		if !answer(conn, len(events), b.record(events)) {
			return
		}
	}
}

// next chooses the fault of the next window.
func (b *brokenLogstash) next() (fault string, answer windowReply) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.window++
	if b.well || b.window%3 != 0 {
		return "", acknowledge
	}
	f := windowFaults[b.window/3%len(windowFaults)]
	b.met[f.name]++
	return f.name, f.reply
}

// record records events as received. The returned function records the first n of them as acknowledged.
func (b *brokenLogstash) record(events []lumbersink.Event) (acked func(n int)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := len(b.events)
	b.events = append(b.events, events...)
	return func(n int) {
		b.mu.Lock()
		defer b.mu.Unlock()
		for i := range n {
			if e := &b.events[first+i]; e.Acked.IsZero() {
				e.Acked = time.Now()
			}
		}
	}
}

// readWindow reads one window of uncompressed frames, or its part before the cut of a fault.
func readWindow(in *bufio.Reader, fault string) (events []lumbersink.Event, ok bool) {
	if fault == "cut before the window" {
		return nil, false
	}
	var window [6]byte
	if _, err := io.ReadFull(in, window[:]); err != nil || string(window[:2]) != "2W" || fault == "cut after the size of the window" {
		return nil, false
	}
	count := int(binary.BigEndian.Uint32(window[2:]))
	for n := range count {
		if fault == "cut between frames" && n == count/2 {
			return nil, false
		}
		var head [10]byte
		if _, err := io.ReadFull(in, head[:]); err != nil || string(head[:2]) != "2J" {
			return nil, false
		}
		if fault == "cut inside a frame" && n == count/2 {
			_, _ = in.ReadByte()
			return nil, false
		}
		raw := make(json.RawMessage, binary.BigEndian.Uint32(head[6:]))
		if _, err := io.ReadFull(in, raw); err != nil {
			return nil, false
		}
		events = append(events, lumbersink.Event{Raw: raw, Received: time.Now()})
	}
	return events, true
}
