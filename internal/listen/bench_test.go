package listen

import (
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkAccept accepts and closes a connection, with and without a bound.
func BenchmarkAccept(b *testing.B) {
	for name, wrap := range map[string]func(net.Listener) net.Listener{
		"plain": func(l net.Listener) net.Listener { return l },
		"bound": func(l net.Listener) net.Listener { return NewBound(1 << 20).Listener(l) },
	} {
		b.Run(name, func(b *testing.B) {
			raw := loopback(b)
			l := wrap(raw)
			b.ReportAllocs()
			for b.Loop() {
				client, err := net.Dial("tcp", raw.Addr().String())
				require.NoError(b, err)
				conn, err := l.Accept()
				require.NoError(b, err)
				require.NoError(b, conn.Close())
				require.NoError(b, client.Close())
			}
		})
	}
}

// BenchmarkBound is the cost of the bound without sockets, with 10,000 connections open.
func BenchmarkBound(b *testing.B) {
	const open = 10_000
	bench := func(b *testing.B, limit int, step func(*Bound, *listener, *conn)) {
		b.Helper()
		bound := NewBound(limit)
		l := &listener{bound: bound}
		for range open - 1 {
			bound.admit(l, silent{})
		}
		c := bound.admit(l, silent{})
		b.ReportAllocs()
		for b.Loop() {
			step(bound, l, c)
		}
	}
	b.Run("accept and close", func(b *testing.B) {
		bench(b, 2*open, func(bound *Bound, l *listener, _ *conn) {
			c := bound.admit(l, silent{})
			_ = c.Close()
		})
	})
	b.Run("displace", func(b *testing.B) {
		bench(b, open, func(bound *Bound, l *listener, _ *conn) { bound.admit(l, silent{}) })
	})
	b.Run("request", func(b *testing.B) {
		bound := NewBound(2 * open)
		c := bound.admit(&listener{bound: bound}, silent{})
		ctx := bound.ConnContext(b.Context(), c)
		b.ReportAllocs()
		for b.Loop() {
			done, _ := bound.Complete(ctx)
			done()
			bound.ConnState(c, 2)
		}
	})
}

type silent struct{ net.Conn }

func (silent) Close() error { return nil }

// BenchmarkMemory is the memory of an idle connection in the bound, with the value in its context.
func BenchmarkMemory(b *testing.B) {
	const open = 10_000
	for b.Loop() {
		bound := NewBound(open)
		l := &listener{bound: bound}
		kept := make([]any, open)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range open {
			c := bound.admit(l, silent{})
			kept[i] = bound.ConnContext(b.Context(), c)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/open, "B/conn")
		runtime.KeepAlive(kept)
	}
}
