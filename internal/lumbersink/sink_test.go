package lumbersink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	client "github.com/elastic/go-lumber/client/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests. No test that passes needs it.
const patience = 30 * time.Second

// start listens on a free port, without a quiet period. At the end of the test it closes the sink, and expects no failure.
func start(t *testing.T, opts ...Option) *Sink {
	t.Helper()
	s, err := Listen("127.0.0.1:0", append([]Option{WithQuietPeriod(0)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// dial connects go-lumber's client. It sends strings as they are.
func dial(t *testing.T, s *Sink, opts ...client.Option) *client.Client {
	t.Helper()
	raw := func(v any) ([]byte, error) {
		text, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("want a string, got %T", v)
		}
		return []byte(text), nil
	}
	c, err := client.Dial(s.Addr(), append([]client.Option{client.Timeout(patience), client.JSONEncoder(raw)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func numbered(n int) []any {
	events := make([]any, n)
	for i := range events {
		events[i] = fmt.Sprintf(`{"n":%d}`, i)
	}
	return events
}

func wait(t *testing.T, s *Sink, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.Wait(ctx, n))
}

func requireAck(t *testing.T, c *client.Client, n uint32) {
	t.Helper()
	got, err := c.AwaitACK(n)
	require.NoError(t, err)
	require.Equal(t, n, got)
}

// requireCut expects that the connection ends without an acknowledgement.
func requireCut(t *testing.T, c *client.Client) {
	t.Helper()
	for {
		n, err := c.ReceiveACK()
		if err != nil {
			timeout, ok := errors.AsType[net.Error](err)
			require.False(t, ok && timeout.Timeout(), "the connection was left open")
			return
		}
		require.Zero(t, n, "acknowledged")
	}
}

func TestKeepsExactBytesInOrder(t *testing.T) {
	sent := []any{
		`{"id":9007199254740993,"none":null}`,
		"{ \"spaced\" :\t[1.50, 1e3] }",
		`{"text":"ä\u0000<&>"}`,
	}
	for _, level := range []int{0, 6} {
		t.Run(fmt.Sprintf("compression %d", level), func(t *testing.T) {
			s := start(t)
			c := dial(t, s, client.CompressionLevel(level))
			for _, event := range sent {
				require.NoError(t, c.Send([]any{event}))
				requireAck(t, c, 1)
			}
			require.NoError(t, c.Send(sent))
			requireAck(t, c, 3)

			events := s.Events()
			require.Len(t, events, 6)
			for i, event := range events {
				require.Equal(t, sent[i%3], string(event.Raw))
				require.False(t, event.Received.IsZero())
				require.False(t, event.Acked.Before(event.Received))
				if i > 0 {
					require.False(t, event.Received.Before(events[i-1].Received))
				}
			}
			require.Equal(t, 6, s.Received())
			require.Equal(t, 6, s.Acked())
		})
	}
}

func TestAckIsOnRecordBeforeItIsSeen(t *testing.T) {
	s := start(t)
	c := dial(t, s)
	for i := range 200 {
		require.NoError(t, c.Send(numbered(2)))
		requireAck(t, c, 2)
		seen := time.Now()
		require.Equal(t, 2*(i+1), s.Acked())
		last := s.Events()[2*i+1]
		require.False(t, last.Acked.IsZero())
		require.False(t, last.Acked.After(seen))
	}
}

func TestSnapshotIsACopy(t *testing.T) {
	s := start(t, WithPolicy(Never()))
	c := dial(t, s)
	require.NoError(t, c.Send(numbered(1)))
	wait(t, s, 1)
	before := s.Events()
	s.Release()
	requireAck(t, c, 1)
	require.True(t, before[0].Acked.IsZero())
	require.False(t, s.Events()[0].Acked.IsZero())
}

func TestOnEventSeesEachEventOnceBeforeItsAck(t *testing.T) {
	var seen []string
	s := start(t, WithKeep(0), WithOnEvent(func(e Event) {
		require.True(t, e.Acked.IsZero())
		seen = append(seen, string(e.Raw))
	}))
	c := dial(t, s)
	for range 3 {
		require.NoError(t, c.Send(numbered(2)))
		requireAck(t, c, 2)
	}
	require.NoError(t, s.Close())
	require.Equal(t, []string{`{"n":0}`, `{"n":1}`, `{"n":0}`, `{"n":1}`, `{"n":0}`, `{"n":1}`}, seen)
}

func TestOnEventMaySetThePolicyOfItsWindow(t *testing.T) {
	var s *Sink
	ready := make(chan struct{})
	s = start(t, WithOnEvent(func(Event) {
		<-ready
		s.SetPolicy(Never())
	}))
	close(ready)
	c := dial(t, s)
	require.NoError(t, c.Send(numbered(1)))
	wait(t, s, 1)
	require.Zero(t, s.Acked())
	s.Release()
	requireAck(t, c, 1)
}

func TestKeepLimit(t *testing.T) {
	for name, test := range map[string]struct {
		opt  Option
		kept int
	}{
		"default": {func(*options) {}, 7},
		"three":   {WithKeep(3), 3},
		"none":    {WithKeep(0), 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, test.opt)
			c := dial(t, s)
			for _, n := range []int{2, 4, 1} {
				require.NoError(t, c.Send(numbered(n)))
				requireAck(t, c, uint32(n))
			}
			events := s.Events()
			require.Len(t, events, test.kept)
			for i, event := range events {
				require.False(t, event.Acked.IsZero())
				require.JSONEq(t, fmt.Sprintf(`{"n":%d}`, []int{0, 1, 0, 1, 2, 3, 0}[i]), string(event.Raw))
			}
			require.Equal(t, 7, s.Received())
			require.Equal(t, 7, s.Acked())
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	s := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.Wait(ctx, 0))
	err := s.Wait(ctx, 3)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "wait for 3 events, 0 received")
	require.ErrorContains(t, s.WaitAcked(ctx, 3), "0 acknowledged")
}

func TestCloseEndsWait(t *testing.T) {
	s := start(t)
	waited := make(chan error)
	go func() { waited <- s.Wait(context.Background(), 1) }()
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-waited, errClosed)
}

func TestCloseIsIdempotentAndGivesThePortBack(t *testing.T) {
	s := start(t, WithPolicy(Delay(time.Hour)))
	c := dial(t, s)
	require.NoError(t, c.Send(numbered(1)))
	wait(t, s, 1)

	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() { require.NoError(t, s.Close()) })
	}
	calls.Wait()
	requireCut(t, c)
	require.Zero(t, s.Acked())
	s.Release()
	require.Zero(t, s.Acked(), "acknowledged after the end")

	again, err := Listen(s.Addr())
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestCloseLetsReleasedAcksOut(t *testing.T) {
	for range 50 {
		s := start(t, WithPolicy(Never()))
		c := dial(t, s)
		require.NoError(t, c.Send(numbered(3)))
		wait(t, s, 3)
		s.Release()
		require.NoError(t, s.Close())
		requireAck(t, c, 3)
		requireCut(t, c)
	}
}

func TestTakenPort(t *testing.T) {
	s := start(t)
	_, err := Listen(s.Addr())
	require.ErrorContains(t, err, "lumberjack sink: listen tcp "+s.Addr())
}
