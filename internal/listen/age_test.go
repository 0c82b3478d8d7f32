package listen

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Connections that were accepted together become old apart: none earlier than nine tenths of the age, and none later than eleven.
func TestConnectionsBecomeOldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, age = 1000, 100 * time.Second
		b := newBench(t, 0)
		b.bound.MaxAge = age
		time.Sleep(time.Hour) // the age of the bound does not count
		var requests []context.Context
		for range n {
			_, conn := b.accept()
			requests = append(requests, b.bound.ConnContext(t.Context(), conn))
		}
		old := func() (sum int) {
			for _, ctx := range requests {
				if b.bound.IsOld(ctx, time.Now()) {
					sum++
				}
			}
			return sum
		}
		time.Sleep(age*9/10 - time.Nanosecond)
		require.Zero(t, old())
		time.Sleep(age / 10)
		require.InDelta(t, n/2, old(), n/10, "in the middle")
		time.Sleep(age/10 + time.Nanosecond)
		require.Equal(t, n, old())
	})
}

func TestWithoutAnAgeNoConnectionIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0)
		_, conn := b.accept()
		time.Sleep(1000 * time.Hour)
		require.False(t, b.bound.IsOld(b.bound.ConnContext(t.Context(), conn), time.Now()))
		b.bound.MaxAge = time.Second
		require.False(t, b.bound.IsOld(t.Context(), time.Now()), "a connection that the bound does not count")
	})
}

// pipes is a listener over pipes.
type pipes struct{ *queue }

func (p pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// An old connection ends with its next answer. An idle one stays open for that.
func TestAnOldConnectionEndsWithItsNextAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bound := NewBound(0)
		bound.MaxAge = time.Minute
		s := server(bound, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if bound.IsOld(req.Context(), time.Now()) {
				w.Header().Set("Connection", "close")
			}
		}), nil)
		s.IdleTimeout = time.Hour
		p := pipes{newQueue()}
		go func() { _ = s.Serve(bound.Listener(p)) }()
		defer func() { _ = s.Close() }()

		client := p.dial()
		reader := bufio.NewReader(client)
		closes := func() bool {
			send(t, client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			resp, err := http.ReadResponse(reader, nil)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			return resp.Close
		}
		require.False(t, closes())
		time.Sleep(time.Minute / 2)
		require.False(t, closes())
		time.Sleep(time.Minute / 2 * 3)
		require.Equal(t, 1, bound.Open(), "idle, and old")
		require.True(t, closes())
		synctest.Wait()
		require.Zero(t, bound.Open())
		require.EqualValues(t, 1, bound.Accepted())
	})
}
