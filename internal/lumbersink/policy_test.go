package lumbersink

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	client "github.com/elastic/go-lumber/client/v2"
	"github.com/stretchr/testify/require"
)

func TestDelay(t *testing.T) {
	for _, delay := range []time.Duration{-time.Second, 0, 50 * time.Millisecond} {
		t.Run(delay.String(), func(t *testing.T) {
			s := start(t, WithPolicy(Delay(delay)))
			c := dial(t, s)
			require.NoError(t, c.Send(numbered(2)))
			requireAck(t, c, 2)
			for _, event := range s.Events() {
				require.GreaterOrEqual(t, event.Acked.Sub(event.Received), delay)
			}
		})
	}
}

func TestReleaseEndsADelay(t *testing.T) {
	s := start(t, WithPolicy(Delay(time.Hour)))
	c := dial(t, s)
	require.NoError(t, c.Send(numbered(2)))
	wait(t, s, 2)
	s.Release()
	requireAck(t, c, 2)
	require.Equal(t, 2, s.Acked())
}

func TestNeverKeepsTheClientWaiting(t *testing.T) {
	s := start(t, WithPolicy(Never()), WithKeepAlive(10*time.Millisecond))
	c := dial(t, s)
	require.NoError(t, c.Send(numbered(2)))
	for range 3 {
		n, err := c.ReceiveACK()
		require.NoError(t, err)
		require.Zero(t, n)
	}
	require.Equal(t, 2, s.Received())
	require.Zero(t, s.Acked())
	s.Release()
	requireAck(t, c, 2)
	require.Equal(t, 2, s.Acked())
}

func TestAPolicyChangeLeavesHeldWindows(t *testing.T) {
	s := start(t, WithPolicy(Never()))
	first := dial(t, s)
	require.NoError(t, first.Send(numbered(1)))
	wait(t, s, 1)

	s.SetPolicy(Immediate())
	second := dial(t, s)
	require.NoError(t, second.Send(numbered(2)))
	requireAck(t, second, 2)

	events := s.Events()
	require.True(t, events[0].Acked.IsZero(), "the held window was acknowledged")
	require.False(t, events[2].Acked.IsZero())
	require.Equal(t, 2, s.Acked())

	s.Release()
	requireAck(t, first, 1)
	require.Equal(t, 3, s.Acked())
}

func TestReleaseAcknowledgesInOrderOfReceipt(t *testing.T) {
	s := start(t, WithPolicy(Never()))
	for i := range 5 {
		c := dial(t, s)
		require.NoError(t, c.Send(numbered(1)))
		wait(t, s, i+1)
	}
	s.Release()
	events := s.Events()
	for i := 1; i < len(events); i++ {
		require.False(t, events[i].Acked.Before(events[i-1].Acked))
	}
}

func TestCutAfter(t *testing.T) {
	for name, test := range map[string]struct {
		n          int
		acked, cut int // windows of two events
	}{
		"zero means the next window": {0, 0, 1},
		"within the first window":    {1, 0, 1},
		"at the end of a window":     {4, 1, 1},
		"within the third window":    {5, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			c := dial(t, s)
			require.NoError(t, c.Send(numbered(2)))
			requireAck(t, c, 2) // before the policy: not counted by it

			s.SetPolicy(CutAfter(test.n))
			for range test.acked {
				require.NoError(t, c.Send(numbered(2)))
				requireAck(t, c, 2)
			}
			require.NoError(t, c.Send(numbered(2)))
			requireCut(t, c)

			again := dial(t, s)
			require.NoError(t, again.Send(numbered(2)))
			requireAck(t, again, 2)

			acked := 2 * (1 + test.acked)
			require.Equal(t, acked+4, s.Received())
			require.Equal(t, acked+2, s.Acked())
			for i, event := range s.Events() {
				lost := i >= acked && i < acked+2
				require.Equal(t, lost, event.Acked.IsZero(), "event %d", i)
			}
		})
	}
}

func TestCutAfterLeavesOtherConnectionsOpen(t *testing.T) {
	s := start(t, WithPolicy(Never()))
	held := dial(t, s)
	require.NoError(t, held.Send(numbered(1)))
	wait(t, s, 1)

	s.SetPolicy(CutAfter(1))
	cut := dial(t, s)
	require.NoError(t, cut.Send(numbered(1)))
	requireCut(t, cut)

	s.Release()
	requireAck(t, held, 1)
	require.Equal(t, 2, s.Received())
	require.Equal(t, 1, s.Acked())
}

func TestRefuse(t *testing.T) {
	s := start(t)
	open := dial(t, s)
	require.NoError(t, open.Send(numbered(1)))
	requireAck(t, open, 1)

	s.SetPolicy(Refuse())
	requireCut(t, open)
	for range 3 {
		requireCut(t, dial(t, s))
	}
	require.Equal(t, 1, s.Received())

	s.SetPolicy(Immediate())
	c := dial(t, s)
	require.NoError(t, c.Send(numbered(1)))
	requireAck(t, c, 1)
}

func TestRefuseFromTheStart(t *testing.T) {
	s := start(t, WithPolicy(Refuse()))
	requireCut(t, dial(t, s))
}

func TestCutDropsHeldWindows(t *testing.T) {
	for name, policy := range map[string]Policy{"never": Never(), "delay": Delay(time.Hour)} {
		t.Run(name, func(t *testing.T) {
			s := start(t, WithPolicy(policy))
			c := dial(t, s)
			require.NoError(t, c.Send(numbered(2)))
			wait(t, s, 2)
			s.Cut()
			requireCut(t, c)
			s.Release()
			require.Zero(t, s.Acked())
			require.True(t, s.Events()[1].Acked.IsZero())
		})
	}
}

// go-lumber reads the second window of a client while the first is held. After a cut the second is not received, and go-lumber
// ends the connection at once, without the next keep-alive. The scheduler decides how far go-lumber has read at the cut, so the
// test repeats it.
func TestCutEndsAPipelinedConnection(t *testing.T) {
	for range 50 {
		s := start(t, WithPolicy(Never()), WithKeepAlive(time.Hour))
		c := dial(t, s)
		require.NoError(t, c.Send(numbered(2)))
		require.NoError(t, c.Send(numbered(3)))
		wait(t, s, 2)
		open := openConns(s)
		require.Len(t, open, 1)
		s.Cut()
		requireCut(t, c)
		select {
		case <-open[0].left:
		case <-time.After(patience):
			require.Fail(t, "go-lumber waits for its next keep-alive")
		}

		s.SetPolicy(Immediate())
		again := dial(t, s)
		require.NoError(t, again.Send(numbered(4)))
		requireAck(t, again, 4)
		require.Equal(t, 6, s.Received())
		require.Equal(t, 4, s.Acked())
		until(t, s, func() bool { return len(s.conns) == 1 })
		require.NoError(t, s.Close())
	}
}

func TestPipelinedWindowsAreAckedInOrder(t *testing.T) {
	s := start(t, WithPolicy(Delay(5*time.Millisecond)))
	var mu sync.Mutex
	var acked []uint32
	c, err := client.NewAsyncClientWith(dial(t, s), 4)
	require.NoError(t, err)
	var done sync.WaitGroup
	for n := 1; n <= 4; n++ {
		done.Add(1)
		require.NoError(t, c.Send(func(seq uint32, err error) {
			defer done.Done()
			require.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			acked = append(acked, seq)
		}, numbered(n)))
	}
	done.Wait()
	require.NoError(t, c.Close())
	require.Equal(t, []uint32{1, 2, 3, 4}, acked)
	require.Equal(t, 10, s.Acked())
}

func TestClientThatLeavesIsNeverAcked(t *testing.T) {
	s := start(t, WithPolicy(Never()))
	c := dial(t, s)
	require.NoError(t, c.Send(numbered(2)))
	wait(t, s, 2)
	require.NoError(t, c.Close())
	until(t, s, func() bool { return len(s.conns) == 0 })
	s.Release()
	require.Zero(t, s.Acked())
	require.NoError(t, s.Err())
}

func TestWindowOfAClientThatLeftAtOnceIsReceived(t *testing.T) {
	s := start(t)
	for i := range 50 {
		c := dial(t, s)
		require.NoError(t, c.Send(numbered(2)))
		require.NoError(t, c.Close())
		wait(t, s, 2*(i+1))
	}
	require.NoError(t, s.Err())
}

// Delays, Release, Cut and policy changes at the same time. go-lumber panics when a window is acknowledged twice.
func TestPoliciesUnderLoad(t *testing.T) {
	s := start(t, WithKeepAlive(time.Millisecond))
	stop := make(chan struct{})
	var clients, script sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := client.SyncDial(s.Addr(), client.Timeout(patience))
				if err != nil {
					continue
				}
				for range 20 {
					if _, err := c.Send(numbered(3)); err != nil {
						break
					}
				}
				_ = c.Close()
			}
		})
	}
	script.Go(func() {
		policies := []Policy{Immediate(), Delay(time.Millisecond), Never(), CutAfter(5), Refuse()}
		random := rand.New(rand.NewPCG(1, 2))
		for range 200 {
			s.SetPolicy(policies[random.IntN(len(policies))])
			switch random.IntN(4) {
			case 0:
				s.Cut()
			default:
				s.Release()
			}
			progress(s, random.IntN(5))
		}
	})
	script.Wait()
	close(stop)
	s.SetPolicy(Immediate())
	s.Release()
	clients.Wait()

	require.NoError(t, s.Err())
	acked := 0
	events := s.Events()
	for _, event := range events {
		if !event.Acked.IsZero() {
			acked++
		}
	}
	require.Len(t, events, s.Received())
	require.Equal(t, s.Acked(), acked)
	require.Positive(t, acked)
}

func openConns(s *Sink) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.conns))
}

// progress waits for up to n changes. There are none while all clients wait.
func progress(s *Sink, n int) {
	for range n {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-time.After(time.Millisecond):
			return
		}
	}
}

// until waits for a condition on the fields that the sink's mutex guards.
func until(t *testing.T, s *Sink, holdsLocked func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		ok, changed := holdsLocked(), s.changed
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			require.Fail(t, "condition not met")
		}
	}
}
