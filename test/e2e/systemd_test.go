//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// systemd's messages from the start to the end of a process: ready only when it serves, the bytes in flight, and an extension of
// the time for a shutdown.
func TestSystemdIsNotifiedFromStartToEnd(t *testing.T) {
	t.Parallel()
	for name, listen := range map[string]func(*testing.T) *notifySocket{
		"a socket in the file system": noticesIn,
		"an abstract socket": func(t *testing.T) *notifySocket {
			t.Helper()
			return listenForNotices(t, "@rtbeat-"+strconv.FormatInt(time.Now().UnixNano(), 36))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := harness.StartSink(t, lumbersink.Never())
			notices := listen(t)
			port, addr := heldPort(t, "in")
			began := time.Now()
			answers := make(chan harness.Answer, 1)
			go func() { // it waits in the socket until rtbeat serves
				notices.await(t, began, "READY=1")
				answers <- harness.NewClient(t).Post(t.Context(), addr, []byte("[]"))
			}()
			b := harness.StartBeat(t, harness.Settings{
				Sink: sink.Addr(), Env: []string{notices.env()}, Sockets: []harness.Socket{port},
				Rtbeat: map[string]any{"timeout": 60, "shutdown_timeout": 20},
			})
			require.Equal(t, http.StatusOK, (<-answers).Code, "ready, and serving")
			ready, status := notices.await(t, began, "STATUS=ready: nothing in flight")
			require.Contains(t, ready.lines, "READY=1", status)

			l := harness.NewLedger(t)
			answer := l.Go(t.Context(), b.Addr, harness.NewBatch("told", 3))
			harness.Arrived(t, sink, 1)
			_, status = notices.await(t, began, "STATUS=ready: 1 batches, 3 events, ")
			require.Contains(t, status, " MiB in flight; no acknowledgement for ")

			signalled := b.Terminate()
			stopping, _ := notices.await(t, signalled, "STOPPING=1")
			require.Contains(t, strings.Join(stopping.lines, "\n"), "STATUS=stopping: 1 batches, 3 events, ")
			// Until its end the process always has an extension for the next moment.
			extended := extensions(t, notices, signalled)
			harness.Await(t, 12*time.Second, "a further extension", func() bool { return len(extensions(t, notices, signalled)) > len(extended)+1 })
			var covered time.Time
			for _, e := range extensions(t, notices, signalled) {
				if !covered.IsZero() {
					require.True(t, e.at.Before(covered), "later than the extension before")
				}
				covered = e.at.Add(e.by)
				require.LessOrEqual(t, e.by, 20*time.Second)
				require.True(t, covered.Before(signalled.Add(27*time.Second)), "budget, closing and margin are the bound: %s", covered.Sub(signalled))
			}
			harness.RecoverSink(sink)
			requireDelivered(t, <-answer, 3)
			code, exited := b.WaitExit(10 * time.Second)
			require.Zero(t, code)
			require.True(t, exited.Before(covered))
			l.CheckOnce(t, sink)
		})
	}
}

// extension is a request for more time.
type extension struct {
	at time.Time
	by time.Duration
}

func extensions(t *testing.T, s *notifySocket, since time.Time) (found []extension) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		for _, line := range m.lines {
			if text, is := strings.CutPrefix(line, "EXTEND_TIMEOUT_USEC="); is && !m.at.Before(since) {
				usec, err := strconv.ParseInt(text, 10, 64)
				require.NoError(t, err)
				found = append(found, extension{m.at, time.Duration(usec) * time.Microsecond})
			}
		}
	}
	return found
}

// The watchdog is fed while the output stalls for longer than stall_after. A stopped process does not feed it.
func TestTheWatchdogIsAboutTheProcessAndNotAboutTheOutput(t *testing.T) {
	t.Parallel()
	const interval = 2 * time.Second
	sink := harness.StartSink(t, lumbersink.Never())
	notices := noticesIn(t)
	b := harness.StartBeat(t, harness.Settings{
		Sink: sink.Addr(), Env: []string{notices.env(), fmt.Sprint("WATCHDOG_USEC=", interval.Microseconds())},
		Rtbeat: map[string]any{"timeout": 2, "stall_after": 1},
	})
	a := harness.NewClient(t).Post(t.Context(), b.Addr, harness.NewBatch("stuck", 2).Body())
	require.Equal(t, http.StatusGatewayTimeout, a.Code, "%s", a)
	require.Equal(t, http.StatusServiceUnavailable, b.Get("/readyz").Code, "stalled")
	stalled := time.Now()
	harness.Await(t, 10*time.Second, "being fed for two intervals of a stall", func() bool { return notices.count(stalled, "WATCHDOG=1") >= 8 })
	require.GreaterOrEqual(t, time.Since(stalled), interval)

	b.Signal(syscall.SIGSTOP)
	stopped := time.Now().Add(interval / 4) // messages in flight
	require.Never(t, func() bool { return notices.count(stopped, "WATCHDOG=1") > 0 }, 2*interval, interval/4)
	b.Signal(syscall.SIGCONT)
	notices.await(t, stopped, "WATCHDOG=1")
}
