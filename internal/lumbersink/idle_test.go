package lumbersink

import (
	"syscall"
	"testing"
	"time"

	client "github.com/elastic/go-lumber/client/v2"
	"github.com/stretchr/testify/require"
)

// short is an idle timeout that a test waits for.
const short = 100 * time.Millisecond

// requireReset expects a reset of the connection.
func requireReset(t *testing.T, c *client.Client) {
	t.Helper()
	_, err := c.ReceiveACK()
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestTimesAreThoseOfLogstash(t *testing.T) {
	s, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Equal(t, time.Minute, s.opts.idleTimeout)
	require.Equal(t, 5*time.Second, s.opts.keepAlive)
	require.Equal(t, 2*time.Second, s.opts.quietPeriod)
}

func TestIdleConnectionIsReset(t *testing.T) {
	s := start(t, WithIdleTimeout(short))
	begun := time.Now()
	silent := dial(t, s)
	requireReset(t, silent)
	require.GreaterOrEqual(t, time.Since(begun), short)

	used := dial(t, s)
	require.NoError(t, used.Send(numbered(1)))
	requireAck(t, used, 1)
	requireReset(t, used)

	until(t, s, func() bool { return len(s.conns) == 0 })
	require.Equal(t, 1, s.Acked())
	require.NoError(t, s.Err(), "an idle close is no failure")
}

func TestUsedConnectionStaysOpen(t *testing.T) {
	s := start(t, WithIdleTimeout(5*short))
	c := dial(t, s)
	for begun := time.Now(); time.Since(begun) < 15*short; {
		require.NoError(t, c.Send(numbered(1)))
		requireAck(t, c, 1)
		time.Sleep(short / 10)
	}
}

// The bytes of a window that arrives slowly keep the connection open, although nothing is written.
func TestReadsKeepTheConnection(t *testing.T) {
	s := start(t, WithIdleTimeout(5*short))
	c := dialRaw(t, s, "")
	for _, b := range []byte("2W\x00\x00\x00\x012J\x00\x00\x00\x01\x00\x00\x00\x02{}") {
		_, err := c.Write([]byte{b})
		require.NoError(t, err)
		time.Sleep(short)
	}
	wait(t, s, 1)
}

// A connection with a held window is not idle: keep-alives are bytes too.
func TestKeepAlivesKeepTheConnection(t *testing.T) {
	s := start(t, WithPolicy(Never()), WithIdleTimeout(5*short), WithKeepAlive(short/2))
	c := dial(t, s)
	require.NoError(t, c.Send(numbered(2)))
	for begun := time.Now(); time.Since(begun) < 15*short; {
		n, err := c.ReceiveACK()
		require.NoError(t, err)
		require.Zero(t, n)
	}
	s.Release()
	requireAck(t, c, 2)
}

func TestNoIdleTimeout(t *testing.T) {
	s := start(t, WithIdleTimeout(0))
	c := dial(t, s)
	require.NoError(t, c.Send(numbered(1)))
	requireAck(t, c, 1)
	time.Sleep(3 * short)
	require.NoError(t, c.Send(numbered(1)))
	requireAck(t, c, 1)
}

// In the quiet period a window is received and kept alive, but not acknowledged. Then the connection is reset.
func TestQuietPeriod(t *testing.T) {
	s := start(t, WithQuietPeriod(5*short), WithKeepAlive(short/2))
	c := dial(t, s)
	require.NoError(t, c.Send(numbered(1)))
	requireAck(t, c, 1)

	closed := make(chan error, 1)
	begun := time.Now()
	go func() { closed <- s.Close() }()
	until(t, s, func() bool { return s.closing })
	require.NoError(t, c.Send(numbered(2)))
	alive := 0
	for {
		n, err := c.ReceiveACK()
		if err != nil {
			require.ErrorIs(t, err, syscall.ECONNRESET)
			break
		}
		require.Zero(t, n, "acknowledged")
		alive++
	}
	require.Positive(t, alive)
	require.NoError(t, <-closed)
	require.GreaterOrEqual(t, time.Since(begun), 5*short)
	require.Equal(t, 3, s.Received())
	require.Equal(t, 1, s.Acked())
}

func TestQuietPeriodEndsWithTheLastClient(t *testing.T) {
	s := start(t, WithQuietPeriod(10*patience))
	c := dial(t, s)
	require.NoError(t, c.Send(numbered(1)))
	requireAck(t, c, 1)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	until(t, s, func() bool { return s.closing })
	requireCut(t, dial(t, s))
	require.NoError(t, c.Close())
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(patience):
		require.Fail(t, "the quiet period went on without clients")
	}
}
