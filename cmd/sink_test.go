package cmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	client "github.com/elastic/go-lumber/client/v2"
	"github.com/stretchr/testify/require"
)

// sinkPatience bounds each wait of these tests. No test that passes needs it.
const sinkPatience = 30 * time.Second

// runningSink is `rtbeat sink` run in this process.
type runningSink struct {
	t      *testing.T
	out    *syncBuffer
	err    *syncBuffer
	cancel context.CancelFunc
	done   chan error
}

// startSink runs the command on a free port with out as its standard output.
func startSink(t *testing.T, out io.Writer, args ...string) *runningSink {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &runningSink{t: t, out: &syncBuffer{}, err: &syncBuffer{}, cancel: cancel, done: make(chan error, 1)}
	cmd := newSinkCmd()
	cmd.SetArgs(append([]string{"--listen", "127.0.0.1:0"}, args...))
	cmd.SetOut(out)
	if out == nil {
		cmd.SetOut(s.out)
	}
	cmd.SetErr(s.err)
	go func() { s.done <- cmd.ExecuteContext(ctx) }()
	t.Cleanup(cancel)
	return s
}

// addr waits for the line that names the address.
func (s *runningSink) addr() string {
	s.t.Helper()
	line := regexp.MustCompile(`(?m)^listening on (\S+) \(lumberjack v2\); point output\.logstash\.hosts here$`)
	var found []string
	require.Eventually(s.t, func() bool {
		found = line.FindStringSubmatch(s.err.String())
		return found != nil
	}, sinkPatience, 5*time.Millisecond)
	return found[1]
}

// wait returns the error of the command.
func (s *runningSink) wait() error {
	s.t.Helper()
	select {
	case err := <-s.done:
		return err
	case <-time.After(sinkPatience):
		require.Fail(s.t, "the sink does not end", s.err.String())
		return nil
	}
}

func (s *runningSink) dial() *client.Client {
	s.t.Helper()
	raw := func(v any) ([]byte, error) { return []byte(v.(string)), nil }
	c, err := client.Dial(s.addr(), client.Timeout(sinkPatience), client.JSONEncoder(raw))
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestSinkPrintsAcknowledgesAndEndsAtTheCount(t *testing.T) {
	s := startSink(t, nil, "--count", "3")
	c := s.dial()
	require.NoError(t, c.Send([]any{`{"id":9007199254740993}`}))
	n, err := c.AwaitACK(1)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.Equal(t, "{\"id\":9007199254740993}\n", s.out.String(), "acknowledged before it was printed")

	require.NoError(t, c.Send([]any{"{\n \"text\": \"<a> & b\"\n}", `{"last":null}`}))
	n, err = c.AwaitACK(2)
	require.NoError(t, err, "the sink ended without the acknowledgement it counted")
	require.EqualValues(t, 2, n)

	require.NoError(t, s.wait())
	printed := strings.Split(s.out.String(), "\n")
	require.Equal(t, []string{`{"id":9007199254740993}`, `{"text":"<a> & b"}`, `{"last":null}`, ""}, printed)
	require.Equal(t, 2, strings.Count(s.err.String(), "\n"))
	require.True(t, strings.HasSuffix(s.err.String(), "\nreceived 3, acknowledged 3\n"), s.err.String())
}

func TestSinkDelay(t *testing.T) {
	const delay = 50 * time.Millisecond
	s := startSink(t, nil, "--delay", delay.String(), "--count", "1")
	c := s.dial()
	sent := time.Now()
	require.NoError(t, c.Send([]any{`{}`}))
	_, err := c.AwaitACK(1)
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(sent), delay)
	require.NoError(t, s.wait())
}

func TestSinkWithoutAcks(t *testing.T) {
	s := startSink(t, nil, "--no-ack", "--count", "2")
	c := s.dial()
	require.NoError(t, c.Send([]any{`{}`, `{}`}))
	require.NoError(t, s.wait())
	_, err := c.AwaitACK(2)
	require.Error(t, err)
	require.Contains(t, s.err.String(), "received 2, acknowledged 0\n")
}

func TestSinkEndsWithItsContext(t *testing.T) {
	for _, args := range [][]string{nil, {"--count", "5"}, {"--no-ack", "--count", "5"}} {
		s := startSink(t, nil, args...)
		s.addr()
		s.cancel()
		require.NoError(t, s.wait())
		require.Contains(t, s.err.String(), "received 0, acknowledged 0\n")
	}
}

func TestSinkResetsAnIdleConnection(t *testing.T) {
	s := startSink(t, nil, "--idle-timeout", "50ms")
	_, err := s.dial().ReceiveACK()
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

// In the quiet period the sink receives windows of a connected client, and does not acknowledge them.
func TestSinkIsQuietAtItsEnd(t *testing.T) {
	const quiet = 300 * time.Millisecond
	s := startSink(t, nil, "--quiet-period", quiet.String())
	c := s.dial()
	require.NoError(t, c.Send([]any{`{}`}))
	_, err := c.AwaitACK(1)
	require.NoError(t, err)
	begun := time.Now()
	s.cancel()
	require.NoError(t, s.wait())
	require.GreaterOrEqual(t, time.Since(begun), quiet)
	_, err = c.ReceiveACK()
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestSinkEndsOnSignals(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		s := startSink(t, nil)
		s.addr()
		self, err := os.FindProcess(os.Getpid())
		require.NoError(t, err)
		require.NoError(t, self.Signal(sig))
		require.NoError(t, s.wait())
	}
}

func TestSinkOnATakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	s := startSink(t, nil, "--listen", l.Addr().String())
	err = s.wait()
	require.ErrorContains(t, err, "listen tcp "+l.Addr().String()+": bind: address already in use")
	require.Equal(t, "Error: "+err.Error()+"\n", s.err.String(), "more than one line")
}

func TestSinkGoesOnAfterABadClient(t *testing.T) {
	s := startSink(t, nil, "--count", "1")
	conn, err := net.Dial("tcp", s.addr())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(s.err.String(), "protocol error") },
		sinkPatience, 5*time.Millisecond)

	require.NoError(t, s.dial().Send([]any{`{}`}))
	require.NoError(t, s.wait())
}

func TestSinkThatCannotPrintDoesNotAcknowledge(t *testing.T) {
	full := errors.New("no space left")
	s := startSink(t, failingWriter{full})
	c := s.dial()
	require.NoError(t, c.Send([]any{`{}`, `{}`}))
	require.ErrorIs(t, s.wait(), full)
	_, err := c.AwaitACK(2)
	require.Error(t, err)
	require.Contains(t, s.err.String(), "received 2, acknowledged 0\n")
}

func TestSinkRefusesBadFlags(t *testing.T) {
	for want, args := range map[string][]string{
		"--delay must not be negative, got -1s": {"--delay", "-1s"},
		"--idle-timeout must not be negative":   {"--idle-timeout", "-1s"},
		"--quiet-period must not be negative":   {"--quiet-period", "-1s"},
		"--count must not be negative, got -2":  {"--count", "-2"},
		"none of the others can be":             {"--delay", "1s", "--no-ack"},
		"unknown command":                       {"extra"},
		"listen tcp":                            {"--listen", "127.0.0.1:notaport"},
	} {
		s := startSink(t, nil, args...)
		require.ErrorContains(t, s.wait(), want)
	}
}

func TestSinkHelp(t *testing.T) {
	s := startSink(t, nil, "--help")
	require.NoError(t, s.wait())
	for _, want := range []string{"--listen", "--delay", "--no-ack", "--count", "--idle-timeout", "--quiet-period", "127.0.0.1:5044", "output.logstash.hosts"} {
		require.Contains(t, s.out.String(), want)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// syncBuffer is a buffer that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
