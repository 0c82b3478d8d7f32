//go:build linux && systemd

package systemd

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// watchdog is WatchdogSec= in these tests.
const watchdog = 2 * time.Second

// TestKill kills the service. systemd starts it again. The next sender waits at the socket, and has its 200.
func TestKill(t *testing.T) {
	m := boot(t)
	m.install("current.deb")
	sink := m.sink(lumbersink.Immediate())
	m.run("systemctl", "enable", "--now", socket, service)
	ledger := harness.NewLedger(t)
	m.deliver(ledger, "before")

	before := m.show(service, "MainPID")
	m.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", service)
	m.deliver(ledger, "after")
	m.await("NRestarts", "1")
	require.NotEqual(t, before, m.show(service, "MainPID"))
	ledger.Check(t, sink)
}

// TestWatchdog freezes the service: systemd restarts it. Then it stalls the output: nothing may restart rtbeat.
func TestWatchdog(t *testing.T) {
	m := boot(t)
	m.install("current.deb")
	m.dropIn(service, "[Service]\nWatchdogSec="+watchdog.String()+"\n")
	m.write("/etc/default/rtbeat", "BEAT_LOG_OPTS=-E rtbeat.timeout=1\n")
	sink := m.sink(lumbersink.Never())
	m.run("systemctl", "enable", "--now", socket, service)
	ledger := harness.NewLedger(t)

	stalled := time.Now()
	for time.Since(stalled) < 3*watchdog {
		a := m.postOne(ledger, "stalled")
		require.NoError(t, a.Err)
		require.Equal(t, http.StatusGatewayTimeout, a.Code, "%s", a)
	}
	require.Equal(t, "0", m.show(service, "NRestarts"), "rtbeat was restarted because of a stalled output")
	harness.RecoverSink(sink)
	m.deliver(ledger, "recovered")

	before := m.show(service, "MainPID")
	m.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", service)
	m.await("NRestarts", "1")
	require.Contains(t, m.run("journalctl", "--unit="+service, "--output=cat"), "Failed with result 'watchdog'")
	m.deliver(ledger, "restarted")
	require.NotEqual(t, before, m.show(service, "MainPID"))
	ledger.Check(t, sink)
}

// TestBadConfig starts the service with a configuration that it refuses. systemd retries until the file is valid, and holds the
// port. A sender in that time has its answer then.
func TestBadConfig(t *testing.T) {
	const config = "/etc/rtbeat/rtbeat.yml"
	m := boot(t)
	m.install("current.deb")
	m.sink(lumbersink.Immediate())
	good := m.run("cat", config) + "\n"
	m.write(config, strings.Replace(good, "  timeout: 5\n", "  timeout: soon\n", 1))
	m.run("systemctl", "enable", "--now", socket)

	ledger := harness.NewLedger(t)
	answer := make(chan harness.Answer, 1)
	go func() { answer <- m.postOne(ledger, "patient") }()
	// More restarts than systemd's default limit allows, five in ten seconds.
	harness.Await(t, commandWithin, "7 starts", func() bool {
		return strings.Count(m.run("journalctl", "--unit="+service, "--output=cat"), "Failed with result 'exit-code'") >= 7
	})
	require.Contains(t, m.run("journalctl", "--unit="+service, "--output=cat"), "rtbeat.timeout")
	require.Equal(t, "active", m.show(socket, "ActiveState"))
	require.Empty(t, answer)
	m.write(config, good)
	a := <-answer
	require.NoError(t, a.Err)
	require.Equal(t, http.StatusOK, a.Code, "%s", a)
}
