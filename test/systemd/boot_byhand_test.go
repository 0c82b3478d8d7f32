//go:build linux && systemd

package systemd

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// TestByHand installs rtbeat without the package, and moves its port, as the page describes. The archive's files are taken from
// the package, which is then removed with its user.
func TestByHand(t *testing.T) {
	m := boot(t)
	sink := m.sink(lumbersink.Immediate())
	m.install("current.deb")
	m.run("sh", "-c", `mkdir /root/archive && cp /usr/share/rtbeat/bin/rtbeat /etc/rtbeat/rtbeat.yml /usr/lib/systemd/system/rtbeat.* /root/archive`)
	m.run("dpkg", "--purge", "rtbeat")
	m.run("userdel", "rtbeat")

	m.run("sh", "-ec", "cd /root/archive\n"+m.recipe("useradd", `(?s)(.*)`))
	ledger := harness.NewLedger(t)
	m.deliver(ledger, "by hand")
	require.Equal(t, "active", m.show(socket, "ActiveState"))
	require.Contains(t, m.run("sh", "-c", m.recipe("setpriv", `(?s)(.*)`)), "Config OK")

	m.dropIn(socket, strings.Replace(m.recipe("ListenStream=\n", `(?s)(.*)`), "10.0.0.5:443", "127.0.0.1:443", 1))
	m.run("sh", "-ec", m.recipe("stop rtbeat.socket", `(?s)(.*)`))
	require.Contains(t, m.run("sh", "-c", m.recipe("setpriv", `(?s)(.*)`+" test config")+" test intake --url http://127.0.0.1:443/in "+
		m.recipe("setpriv", `test config \\\n(.*)`)), "/in with no credentials: OK")
	ledger.Check(t, sink)
}
