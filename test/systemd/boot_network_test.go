//go:build linux && systemd

package systemd

import (
	"context"
	"net"
	"runtime"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// A socket belongs to the network in which it was made. So senders, sink and ledger are in the test's process, with one clock,
// and only their sockets are in the machine.

// inside calls f on a thread in the machine's network.
func (m *machine) inside(f func() error) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and runs nothing else. The main thread cannot end: Go parks it, and
		// it stays in the machine's network.
		runtime.LockOSThread()
		if err := unix.Setns(int(m.net.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// dial connects to an IP address in the machine. Resolving a name would leave the thread.
func (m *machine) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = m.inside(func() error {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// sinkAt is Logstash's address in the installed rtbeat.yml.
const sinkAt = "127.0.0.1:5044"

// sink starts a lumberjack server in the machine.
func (m *machine) sink(policy lumbersink.Policy) (sink *lumbersink.Sink) {
	m.t.Helper()
	require.NoError(m.t, m.inside(func() (err error) {
		sink, err = lumbersink.Listen(sinkAt, lumbersink.WithPolicy(policy))
		return err
	}))
	m.t.Cleanup(func() { require.NoError(m.t, sink.Close()) })
	return sink
}
