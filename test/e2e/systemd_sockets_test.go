//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// Sockets have names. rtbeat then ignores the ports of rtbeat.yml.
func TestInheritedSockets(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	in, addr := heldPort(t, "in")
	admin, health := heldPort(t, "admin")
	taken := harness.DeadAddress(t)
	_, port, err := net.SplitHostPort(taken)
	require.NoError(t, err)
	b := harness.StartBeat(t, harness.Settings{
		Sink: sink.Addr(), Sockets: []harness.Socket{admin, in}, // the order does not matter
		Rtbeat: map[string]any{"host": "127.0.0.1", "port": port},
	})
	require.Equal(t, addr, b.Addr)
	require.Equal(t, health, b.Health)
	require.True(t, refusesConnections(taken), "rtbeat.port is not bound")
	_, told := b.Log.Find("the service manager passes the socket of the intake, " + addr)
	require.True(t, told, "%s", b.Log.Tail(20))
	require.Equal(t, http.StatusOK, b.Get("/readyz").Code)
	l := harness.NewLedger(t)
	requireDelivered(t, l.Post(t.Context(), addr, harness.NewBatch("inherited", 2)), 2)
	b.Stop()
	require.False(t, refusesConnections(addr), "the socket is the test's")
	l.CheckOnce(t, sink)
}

// A single socket needs no name, and a Unix socket's file stays. An error names the wrong socket.
func TestInheritedSocketsByAnyOtherName(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	for _, name := range []string{"rtbeat.socket", "", "unknown"} {
		in, addr := heldPort(t, name)
		b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Sockets: []harness.Socket{in}})
		require.Equal(t, addr, b.Addr, "%q", name)
		b.Stop()
	}

	path := filepath.Join(t.TempDir(), "in.sock")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	file, err := l.(*net.UnixListener).File()
	require.NoError(t, err)
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Sockets: []harness.Socket{{Name: "in", File: file}}})
	require.Equal(t, path, b.Addr)
	b.Stop()
	require.FileExists(t, path)
	require.NoError(t, l.Close())

	in, _ := heldPort(t, "in")
	again, _ := heldPort(t, "in")
	other, _ := heldPort(t, "metrics")
	datagrams, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer datagrams.Close()
	packets, err := datagrams.File()
	require.NoError(t, err)
	for want, sockets := range map[string][]harness.Socket{
		`a socket named "metrics", which rtbeat does not know`: {in, other},
		`a socket named "LISTEN_FD_4"`:                         {in, {Name: "", File: again.File}},
		`more than one socket named "in"`:                      {in, again},
		`which must be a stream socket that listens`:           {{Name: "in", File: packets}},
	} {
		b := harness.Launch(t, harness.Settings{Sink: sink.Addr(), Sockets: sockets})
		code, _ := b.WaitExit(30 * time.Second)
		require.Equal(t, 1, code, "%s", want)
		require.Contains(t, b.Log.String(), want)
	}
}

// Twenty restarts during traffic without a pause, on a socket of another process: no connection is refused, every request is
// answered 200 or 503, and nothing is lost. A third of the senders makes a connection for each request, a third keeps it busy,
// and a third keeps it mostly idle.
func TestTwentyRestartsOnAnInheritedSocket(t *testing.T) {
	harness.Long(t)
	const restarts, senders = 20, 9
	sink := harness.StartSink(t, lumbersink.Delay(10*time.Millisecond))
	in, addr := heldPort(t, "in")
	home := t.TempDir()
	settings := harness.Settings{Sink: sink.Addr(), Sockets: []harness.Socket{in}, Home: home, Rtbeat: map[string]any{"timeout": 20}}
	l := harness.NewLedger(t)
	b := harness.StartBeat(t, settings)

	var done atomic.Bool
	var running sync.WaitGroup
	var answers harness.Tally
	for s := range senders {
		transport := &http.Transport{DisableKeepAlives: s%3 == 0, DialContext: (&net.Dialer{Timeout: time.Minute}).DialContext}
		t.Cleanup(transport.CloseIdleConnections)
		client := harness.NewClientOver(onceOnly{transport})
		running.Go(func() {
			for n := 0; !done.Load(); n++ {
				if s%3 == 1 {
					harness.Pause(t.Context(), time.Duration(rand.IntN(40))*time.Millisecond) // so that its connection is idle
				}
				batch := harness.NewBatch(fmt.Sprintf("restart-%d-%d", s, n), 3)
				for { // a sender repeats a refused batch
					a := l.PostBy(t.Context(), client, "http://"+addr+"/in", nil, batch)
					answers.Add(a)
					if a.Code == http.StatusOK {
						break
					}
					if a.Err != nil {
						t.Errorf("no answer: %v", a.Err)
						return
					}
					harness.Pause(t.Context(), 5*time.Millisecond)
				}
			}
		})
	}
	for range restarts {
		before := answers.Counts()["200"]
		harness.Await(t, time.Minute, "senders at work", func() bool { return answers.Counts()["200"] >= before+5*senders || t.Failed() })
		b.Forget()
		b.Terminate()
		code, _ := b.WaitExit(40 * time.Second)
		require.Zero(t, code)
		b = harness.StartBeat(t, settings)
	}
	done.Store(true)
	running.Wait()
	b.Stop()
	counts := answers.Counts()
	t.Logf("answers: %v", counts)
	for status := range counts {
		require.Contains(t, []string{"200", "503"}, status)
	}
	require.Empty(t, l.Lost(sink.Events()))
	l.Check(t, sink)
}

// onceOnly prevents net/http's own retry on a closed connection: senders in other languages do not have it.
type onceOnly struct{ inner http.RoundTripper }

func (o onceOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	req.GetBody = nil
	if req.Body != nil {
		req.Body = struct{ io.ReadCloser }{req.Body}
	}
	return o.inner.RoundTrip(req)
}
