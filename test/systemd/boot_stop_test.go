//go:build linux && systemd

package systemd

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// TestStop stops the service while a request waits for its acknowledgement, for longer than TimeoutStopSec. systemd extends it
// because rtbeat asks for it.
func TestStop(t *testing.T) {
	const limit = 2 * time.Second
	m := boot(t)
	m.install("current.deb")
	m.dropIn(service, "[Service]\nTimeoutStopSec="+limit.String()+"\n")
	m.write("/etc/default/rtbeat", "BEAT_LOG_OPTS=-E rtbeat.timeout=60\n")
	sink := m.sink(lumbersink.Never())
	m.run("systemctl", "start", service)
	require.Equal(t, "ready: nothing in flight", m.show(service, "StatusText"))

	ledger := harness.NewLedger(t)
	answer := make(chan harness.Answer, 1)
	go func() { answer <- m.postOne(ledger, "waits") }()
	harness.Arrived(t, sink, 1)
	harness.Await(t, commandWithin, "a status", func() bool {
		return m.show(service, "StatusText") != "ready: nothing in flight"
	})
	require.Contains(t, m.show(service, "StatusText"), "ready: 1 batches, 1 events")

	stopped := time.Now()
	m.run("systemctl", "stop", "--no-block", service)
	m.await("ActiveState", "deactivating")
	harness.Await(t, commandWithin, "a stop that goes on beyond the limit", func() bool {
		require.Equal(t, "deactivating", m.show(service, "ActiveState"))
		require.Contains(t, m.show(service, "StatusText"), "1 batches, 1 events")
		return time.Since(stopped) > 2*limit
	})
	require.Contains(t, m.show(service, "StatusText"), "stopping: ")
	require.Empty(t, answer, "an answer before the acknowledgement")

	harness.RecoverSink(sink)
	a := <-answer
	require.NoError(t, a.Err)
	require.Equal(t, http.StatusOK, a.Code, "%s", a)
	m.await("ActiveState", "inactive")
	require.Equal(t, "success", m.show(service, "Result"))
	require.Equal(t, "0", m.show(service, "ExecMainStatus"), "exit code")
	ledger.CheckOnce(t, sink)
}
