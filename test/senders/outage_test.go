//go:build senders

package senders

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// outage is what a sender that retries must survive: connections that close without an answer, then 504s, then 503s.
type outage struct {
	// block is rtbeat's part of the recipe, or "".
	block string
	// start starts the sender, with something to send to this address.
	start func(addr string)
	// more gives the sender more to send. Its first answer is a 503.
	more func()
}

// run ends the outage when the sender has had each answer. Both parts arrive afterwards.
func (o outage) run(t testing.TB) (*harness.Beat, *lumbersink.Sink) {
	t.Helper()
	addr, port := harness.FreeAddress(t)
	hangUp := startHangUp(t, addr)
	o.start(addr)
	harness.Await(t, harness.ArriveWithin, "two attempts without an answer", func() bool { return hangUp.connections.Load() > 1 })
	require.NoError(t, hangUp.Close())

	sink := harness.StartSink(t, lumbersink.Never())
	b := startWith(t, sink, o.block, promptTimeout, "rtbeat.stall_after=3", "rtbeat.port="+port)
	harness.Await(t, harness.ArriveWithin, "a 504", func() bool { return b.Answers(http.StatusGatewayTimeout, "ack_timeout") > 0 })
	harness.Await(t, harness.ArriveWithin, "a stall", func() bool { return b.Get("/readyz").Code == http.StatusServiceUnavailable })
	o.more()
	harness.Await(t, harness.ArriveWithin, "a 503", func() bool {
		return b.Answers(http.StatusServiceUnavailable, "output_stalled") > 0
	})
	require.Zero(t, b.Answers(http.StatusOK, "delivered"))
	harness.RecoverSink(sink)
	return b, sink
}

// twice runs a program that sends a file and ends: a run during the outage's first part, a second run during its stall. Both must
// succeed.
type twice struct {
	// lines are the files.
	lines [2][]string
	// command is the program that sends the file to the address.
	command func(addr, file string) []string
	// want are the messages, and generated are the keys that the program adds to them.
	want      []string
	generated []string
}

func (w twice) run(t testing.TB) {
	t.Helper()
	dir := t.TempDir()
	var address string
	var started []*harness.Program
	start := func() {
		n := len(started)
		file := harness.WriteRecipe(t, dir, fmt.Sprintf("lines%d", n), strings.Join(w.lines[n], "\n")+"\n")
		command := w.command(address, file)
		started = append(started, harness.StartProgram(t, dir, command[0], command[1:]...))
	}
	b, sink := outage{start: func(addr string) { address = addr; start() }, more: start}.run(t)
	for _, p := range started {
		p.Ends()
	}
	requireMessages(t, b, sink, w.want, w.generated...)
}

// hangUp closes each connection when its request begins.
type hangUp struct {
	net.Listener
	connections atomic.Int64
}

func startHangUp(t testing.TB, addr string) *hangUp {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	h := &hangUp{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				if _, err := c.Read(make([]byte, 1)); err == nil {
					h.connections.Add(1)
				}
				_ = c.Close()
			}()
		}
	}()
	return h
}

// requireMessages waits for these messages at the sink, and requires that no other one arrives, and none twice. A last POST shows
// that nothing is left on its way. generated are keys that the sender makes up.
func requireMessages(t testing.TB, b *harness.Beat, sink *lumbersink.Sink, want []string, generated ...string) {
	t.Helper()
	arrive := func(messages int) {
		harness.Await(t, 2*harness.ArriveWithin, "each message", func() bool { return sink.Acked() >= messages })
	}
	arrive(len(want))
	last := harness.NewBatch("last", 1)
	deliver(t, harness.NewLedger(t), clientAt(t, nil), "http://"+b.Addr+"/in", last, nil)
	arrive(len(want) + 1)
	all := []string{canonical(t, last[0].Raw, generated...)}
	for _, m := range want {
		all = append(all, canonical(t, []byte(m), generated...))
	}
	var got []string
	for _, e := range eventsAt(t, sink) {
		got = append(got, canonical(t, e.Message, generated...))
	}
	require.ElementsMatch(t, all, got)
}

// canonical is the message with sorted keys, and without those that the sender makes up. Integers stay as they are.
func canonical(t testing.TB, message []byte, generated ...string) string {
	t.Helper()
	decoded, err := harness.DecodeExact(message)
	require.NoError(t, err, "%s", message)
	for _, key := range generated {
		delete(decoded.(map[string]any), key)
	}
	text, err := json.Marshal(decoded)
	require.NoError(t, err)
	return string(text)
}
