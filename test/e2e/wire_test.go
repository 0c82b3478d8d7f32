//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// Wire is a bare connection. It shows details that http.Client hides: an answer before the end of the body, and the end of the
// connection.
type Wire struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	sent time.Time
}

// dial connects and sends the text.
func dial(t testing.TB, addr, text string) *Wire {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	sent := time.Now()
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	return &Wire{t: t, conn: conn, r: bufio.NewReader(conn), sent: sent}
}

// Status reads the answer and returns its status and its time after the request.
func (w *Wire) Status() (code int, took time.Duration) {
	w.t.Helper()
	require.NoError(w.t, w.conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	resp, err := http.ReadResponse(w.r, nil)
	require.NoError(w.t, err)
	took = time.Since(w.sent)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(w.t, err)
	require.NoError(w.t, resp.Body.Close())
	return resp.StatusCode, took
}

// requireClosed waits for the end of the connection.
func (w *Wire) requireClosed(within time.Duration) {
	w.t.Helper()
	require.NoError(w.t, w.conn.SetReadDeadline(time.Now().Add(within)))
	_, err := w.r.ReadByte()
	require.Error(w.t, err, "there is more to read")
	require.NotErrorIs(w.t, err, os.ErrDeadlineExceeded, "the connection is still open")
}

// halfARequest has a body that stops in the middle.
const halfARequest = "POST /in HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n" +
	`{"messages":[`

// A sender that stops in the middle of its body holds a connection and its bytes for read_timeout at most.
func TestSlowBodyIs408(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"read_timeout": 1}})

	w := dial(t, b.Addr, halfARequest)
	code, took := w.Status()
	require.Equal(t, http.StatusRequestTimeout, code)
	require.GreaterOrEqual(t, took, time.Second)
	require.Less(t, took, time.Second+slack)
	w.requireClosed(prompt)
	require.Zero(t, b.Metric("rtbeat_in_flight_bytes"), "bytes of an aborted body")
	require.Zero(t, sink.Received())
}

// A body over the limit is not read: the answer is sent, and the connection is closed.
func TestTooLargeBodyEndsTheConnection(t *testing.T) {
	t.Parallel()
	const limit = 1024
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"max_body_bytes": limit}})

	const head = "POST /in HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	body := `{"messages":[{"pad":"` + strings.Repeat("x", 2*limit) + `"}]}`
	for name, request := range map[string]string{
		// Not one byte of the body is needed for the refusal.
		"announced": head + fmt.Sprintf("Content-Length: %d\r\n\r\n", 1<<30),
		"chunked":   head + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(body), body),
	} {
		t.Run(name, func(t *testing.T) {
			w := dial(t, b.Addr, request)
			code, took := w.Status()
			require.Equal(t, http.StatusRequestEntityTooLarge, code)
			require.Less(t, took, prompt)
			w.requireClosed(prompt)
		})
	}
	require.Zero(t, b.Metric("rtbeat_in_flight_bytes"))
	require.Zero(t, sink.Received())
}

// A refusal by the headers is answered without the body. A sender that never sends the body holds nothing for long.
func TestRefusalDoesNotWaitForTheBody(t *testing.T) {
	t.Parallel()
	full := harness.Padded("full", 4, 1<<10)
	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, harness.Settings{
		Sink:   sink.Addr(),
		Rtbeat: map[string]any{"timeout": 1, "read_timeout": 1, "max_in_flight_bytes": len(full.Body())},
	})
	l := harness.NewLedger(t)
	// The rest of this batch fills the limit while the sink is silent.
	requireTimeout(t, l.Post(t.Context(), b.Addr, full), len(full))

	for name, tt := range map[string]struct {
		request string
		code    int
	}{
		"wrong type":   {strings.Replace(halfARequest, "application/json", "text/csv", 1), http.StatusUnsupportedMediaType},
		"wrong path":   {strings.Replace(halfARequest, "/in", "/out", 1), http.StatusNotFound},
		"wrong method": {strings.Replace(halfARequest, "POST", "PUT", 1), http.StatusMethodNotAllowed},
		"no room":      {halfARequest, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w := dial(t, b.Addr, tt.request)
			code, took := w.Status()
			require.Equal(t, tt.code, code)
			require.Less(t, took, time.Second+slack)
			w.requireClosed(time.Second + slack)
		})
	}
	l.Check(t, sink)
}

// An answered sender that neither sends the rest of its body nor closes must not delay the shutdown.
func TestAnsweredSenderDoesNotHoldUpTheStop(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"read_timeout": 1, "shutdown_timeout": 20}})

	code, _ := dial(t, b.Addr, halfARequest).Status()
	require.Equal(t, http.StatusRequestTimeout, code)
	b.Terminate()
	exit, _ := b.WaitExit(time.Second + slack)
	require.Zero(t, exit)
}

// A sender that closes in the middle of its body, or of its wait, leaves nothing in flight.
func TestSenderThatCloses(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"timeout": 30}})

	half := dial(t, b.Addr, halfARequest)
	batch := harness.NewBatch("left", 1)
	body := batch.Body()
	waiting := dial(t, b.Addr, fmt.Sprintf("POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	harness.Arrived(t, sink, len(batch))
	harness.Await(t, prompt, "two requests inside", func() bool { return b.Metric("rtbeat_in_flight_requests") == 2 })

	require.NoError(t, half.conn.Close())
	require.NoError(t, waiting.conn.Close())
	harness.Await(t, prompt, "no request inside", func() bool { return b.Metric("rtbeat_in_flight_requests") == 0 })
	// The events are published. Only their ack releases them.
	require.Positive(t, b.Metric("rtbeat_in_flight_bytes"))
	harness.RecoverSink(sink)
	harness.Await(t, prompt, "no bytes in flight", func() bool { return b.Metric("rtbeat_in_flight_bytes") == 0 })
}
