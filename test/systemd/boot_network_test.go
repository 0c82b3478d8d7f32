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

// A socket belongs to the network in which it was made, whoever has it. So senders, sink and ledger live in the test's own
// process, with one clock, and only their sockets are inside.

// inside calls f on a thread in the network of the machine.
func (m *machine) inside(f func() error) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and nothing else runs on it. The main thread cannot end: Go
		// parks it, and it stays in the network of the machine.
		runtime.LockOSThread()
		if err := unix.Setns(int(m.net.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// dial connects to an address inside, which is no name: resolving one would leave the thread.
func (m *machine) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = m.inside(func() error {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// sinkAt is where rtbeat.yml, as it is installed, expects Logstash.
const sinkAt = "127.0.0.1:5044"

// sink starts a lumberjack server inside.
func (m *machine) sink(policy lumbersink.Policy) (sink *lumbersink.Sink) {
	m.t.Helper()
	require.NoError(m.t, m.inside(func() (err error) {
		sink, err = lumbersink.Listen(sinkAt, lumbersink.WithPolicy(policy))
		return err
	}))
	m.t.Cleanup(func() { require.NoError(m.t, sink.Close()) })
	return sink
}
