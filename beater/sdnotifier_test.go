//go:build unix

package beater

import (
	"net"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp/logptest"

	"github.com/txn2/rtbeat/internal/pipelinetest"
)

// lockOf returns the lock of a value of another package, so that a test can hold it as a deadlock would.
func lockOf(t *testing.T, owner any, path ...string) *sync.Mutex {
	t.Helper()
	value := reflect.ValueOf(owner).Elem()
	for _, name := range path {
		value = value.FieldByName(name).Elem()
	}
	field := value.FieldByName("mu")
	require.Equal(t, reflect.TypeFor[sync.Mutex](), field.Type())
	return (*sync.Mutex)(unsafe.Pointer(field.UnsafeAddr())) // the field is private
}

// While a lock that every request needs is held, the watchdog is not fed. When it is released, feeding goes on.
func TestADeadlockEndsTheFeedingOfTheWatchdog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "200000")

	b := &beat.Beat{
		Info:      beat.Info{Version: "1.2.3", Logger: logptest.NewTestingLogger(t, "")},
		Config:    &beat.BeatConfig{},
		Publisher: pipelinetest.New(t, &pipelinetest.Output{}, 1, pipelinetest.Config(t, "")),
	}
	root := conf.MustNewConfigFrom("output.logstash.hosts: [a]\nqueue.mem.flush.timeout: 0s")
	require.NoError(t, root.Unpack(b.Config))
	bt, err := New(b, conf.MustNewConfigFrom("host: 127.0.0.1\nport: 0"), Options{Root: root})
	require.NoError(t, err)
	defer bt.listeners.close()
	a, err := bt.assemble()
	require.NoError(t, err)
	defer func() {
		a.publisher.Close()
		require.NoError(t, bt.closePipeline())
		a.publisher.Wait()
	}()
	m := bt.newSdNotifier(a)
	require.Equal(t, 200*time.Millisecond, m.watchdog)
	defer background(m.run)()

	fed := func(within time.Duration) bool {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(within)))
		buffer := make([]byte, 4096)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return false
			}
			if string(buffer[:n]) == "WATCHDOG=1\n" {
				return true
			}
		}
	}
	require.True(t, fed(10*time.Second))
	for name, lock := range map[string]*sync.Mutex{
		"registry":              lockOf(t, a.registry),
		"admission":             lockOf(t, a.admission),
		"connections":           lockOf(t, bt.listeners.connections),
		"admission of requests": lockOf(t, a.server, "handler", "requests"),
	} {
		lock.Lock()
		fed(m.watchdog / 2) // a message that was sent before
		still := fed(2 * m.watchdog)
		lock.Unlock()
		require.False(t, still, name)
		require.True(t, fed(10*time.Second), name)
	}

	// The accept loop has taken a connection, and does not call Accept again.
	go func() { // as a sender
		c, err := net.Dial("tcp", bt.Address())
		if err == nil {
			defer c.Close()
			_, _ = c.Read(make([]byte, 1))
		}
	}()
	accepted, err := bt.listeners.intake.Accept()
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !fed(2 * m.watchdog) }, 10*time.Second, time.Millisecond, "the loop is away")
	require.NoError(t, accepted.Close())
	require.NoError(t, bt.listeners.intake.Close())
	_, err = bt.listeners.intake.Accept()
	require.Error(t, err)
	require.True(t, fed(10*time.Second), "a stop is no fault")
}
