package listen

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestALoopIsAwayBetweenTwoAccepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		l := NewLoop(q)
		time.Sleep(time.Hour)
		require.Zero(t, l.Away(), "it has not begun")
		select {
		case <-l.Begun():
			require.FailNow(t, "Accept has not been called")
		default:
		}
		q.conns <- newFake()
		_, err := l.Accept()
		require.NoError(t, err)
		<-l.Begun()
		time.Sleep(time.Minute)
		require.Equal(t, time.Minute, l.Away())

		ended := make(chan error)
		go func() {
			_, err := l.Accept()
			ended <- err
		}()
		time.Sleep(time.Hour)
		require.Zero(t, l.Away(), "no connection arrives")
		require.NoError(t, l.Close())
		require.Error(t, <-ended)
		time.Sleep(time.Hour)
		require.Zero(t, l.Away(), "it has ended")
	})
}
