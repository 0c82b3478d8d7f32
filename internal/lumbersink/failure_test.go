package lumbersink

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// failing is start for tests in which a connection fails. The channel has the failures, and Close must return the first.
func failing(t *testing.T, opts ...Option) (*Sink, <-chan error) {
	t.Helper()
	failures := make(chan error, 10)
	s, err := Listen("127.0.0.1:0", append(opts, WithQuietPeriod(0), WithOnError(func(err error) { failures <- err }))...)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Error(t, s.Err())
		require.ErrorIs(t, s.Close(), s.Err())
		require.Empty(t, failures, "reported twice")
	})
	return s, failures
}

func next(t *testing.T, failures <-chan error) error {
	t.Helper()
	select {
	case err := <-failures:
		return err
	case <-time.After(patience):
		require.Fail(t, "no failure reported")
		return nil
	}
}

// dialRaw connects and sends bytes that go-lumber's client would not send.
func dialRaw(t *testing.T, s *Sink, bytes string) net.Conn {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", s.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	_, err = c.Write([]byte(bytes))
	require.NoError(t, err)
	return c
}

func TestInvalidJSONIsAFailure(t *testing.T) {
	for name, opt := range map[string]Option{"kept": WithKeep(10), "discarded": WithKeep(0)} {
		t.Run(name, func(t *testing.T) {
			s, failures := failing(t, opt)
			bad := dial(t, s)
			require.NoError(t, bad.Send([]any{`{"good":1}`, `{"secret":hidden}`}))
			requireCut(t, bad)

			err := next(t, failures)
			require.ErrorContains(t, err, "lumberjack connection 127.0.0.1:")
			require.ErrorContains(t, err, "event of 17 bytes is not JSON at offset 11")
			require.NotContains(t, err.Error(), "secret")
			require.Zero(t, s.Received())

			good := dial(t, s)
			require.NoError(t, good.Send(numbered(1)))
			requireAck(t, good, 1)

			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, s.Wait(ctx, 2), err)
		})
	}
}

func TestAnotherProtocolIsAFailure(t *testing.T) {
	for name, bytes := range map[string]string{
		"http":            "GET / HTTP/1.1\r\nHost: sink\r\n\r\n",
		"version 1":       "1W\x00\x00\x00\x01",
		"window too big":  "2W\xff\xff\xff\xff",
		"unknown frame":   "2W\x00\x00\x00\x012X\x00\x00",
		"corrupt deflate": "2W\x00\x00\x00\x012C\x00\x00\x00\x04nope",
	} {
		t.Run(name, func(t *testing.T) {
			s, failures := failing(t)
			dialRaw(t, s, bytes)
			require.ErrorContains(t, next(t, failures), "protocol error")
		})
	}
}

func TestClientThatLeavesInAWindowIsNoFailure(t *testing.T) {
	s := start(t)
	for _, bytes := range []string{"", "2", "2W\x00\x00\x00\x02", "2W\x00\x00\x00\x012J\x00\x00\x00\x01\x00\x00\x00\x09{"} {
		c := dialRaw(t, s, bytes)
		until(t, s, func() bool { return len(s.conns) == 1 })
		require.NoError(t, c.Close())
		until(t, s, func() bool { return len(s.conns) == 0 })
	}
	require.NoError(t, s.Err())
	require.Zero(t, s.Received())
}
