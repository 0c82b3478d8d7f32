//go:build abuse

package abuse

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// waitClosed reads until the connection is closed.
func waitClosed(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// idle keeps many silent connections.
func idle(n int, perSecond float64) func(context.Context, string) string {
	return keep(n, perSecond, nil)
}

// keep holds many connections that send the same bytes and then nothing.
func keep(n int, perSecond float64, first []byte) func(context.Context, string) string {
	return func(ctx context.Context, target string) string {
		var h held
		h.hold(ctx, n, perSecond, target, func(c net.Conn) {
			_, _ = c.Write(first)
			_, _ = c.Read(make([]byte, 1)) // an answer ends it as a close does: then a new connection follows
		})
		return h.String()
	}
}

// dribble holds connections that send one byte a second, of a header or of a body.
func dribble(n int, perSecond float64) func(context.Context, string) string {
	return func(ctx context.Context, target string) string {
		var h held
		h.hold(ctx, n, perSecond, target, func(c net.Conn) {
			text := "POST /in HTTP/1.1\r\nHost: x\r\nX-Slow: "
			if h.opened.Load()%2 == 0 {
				text = "POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n[{\"a\":\""
			}
			_, err := io.WriteString(c, text)
			for err == nil {
				time.Sleep(time.Second)
				_, err = io.WriteString(c, "a")
			}
		})
		return h.String()
	}
}

// bigHeader is a request with endless headers: n bytes, in lines of that length.
func bigHeader(n, line int) []byte {
	var b bytes.Buffer
	b.WriteString("POST /in HTTP/1.1\r\nHost: x\r\n")
	for i := 0; b.Len()+line <= n; i++ {
		name := fmt.Sprintf("%x", i)
		b.WriteString(name + ":" + strings.Repeat("v", max(line-len(name)-3, 0)) + "\r\n")
	}
	return b.Bytes()
}

// heldBodies holds connections with a body whose last byte never arrives.
func heldBodies(n int, perSecond float64, size int) func(context.Context, string) string {
	return func(ctx context.Context, target string) string {
		request := body{"", bytes.Repeat([]byte(" "), size)}.request()
		return keep(n, perSecond, request[:len(request)-1])(ctx, target)
	}
}

// chunks sends bodies in chunks of one byte over n connections, as fast as rtbeat reads.
func chunks(n int, perSecond float64) func(context.Context, string) string {
	return func(ctx context.Context, target string) string {
		text := `[{"a":"` + strings.Repeat("x", 20_000) + `"}]`
		var b bytes.Buffer
		b.WriteString("POST /in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
		for _, c := range []byte(text) {
			fmt.Fprintf(&b, "1\r\n%c\r\n", c)
		}
		b.WriteString("0\r\n\r\n")
		var t tally
		paced(ctx, perSecond, n, func() { t.add(exchange(target, b.Bytes())) })
		return t.String()
	}
}

// flood repeats a small request on n connections, many at a time, without waiting for answers.
func flood(n int, perSecond float64, pipelined int, request string) func(context.Context, string) string {
	return func(ctx context.Context, target string) string {
		var t tally
		conns := make(chan net.Conn, n)
		for range n {
			conns <- nil
		}
		paced(ctx, perSecond/float64(pipelined), n, func() {
			c := <-conns
			defer func() { conns <- c }()
			if c == nil {
				var err error
				if c, err = dial(ctx, target); err != nil {
					c = nil
					t.add(0)
					return
				}
			}
			_ = c.SetDeadline(time.Now().Add(15 * time.Second))
			_, _ = io.WriteString(c, strings.Repeat(request, pipelined))
			from := bufio.NewReader(c)
			for range pipelined {
				res, err := http.ReadResponse(from, nil)
				if err != nil {
					t.add(0)
					_ = c.Close()
					c = nil
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				t.add(res.StatusCode)
			}
		})
		return t.String()
	}
}

const (
	anyPost   = "POST /in HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong-token-0123456789\r\nContent-Length: 12\r\n\r\n[{\"a\":\"bc\"}]"
	nothing   = "GET /admin/login.php HTTP/1.1\r\nHost: x\r\n\r\n"
	emptyPost = "POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]"
)

func tlsConfig(protocols ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: protocols}
}

// handshakes makes complete TLS handshakes, one after the other.
func handshakes(perSecond float64, at int) func(context.Context, string) string {
	return func(ctx context.Context, target string) string {
		var t tally
		paced(ctx, perSecond, at, func() {
			c, err := dial(ctx, target)
			if err != nil {
				t.add(0)
				return
			}
			defer c.Close()
			if tls.Client(c, tlsConfig("h2")).HandshakeContext(ctx) != nil {
				t.add(0)
				return
			}
			t.add(1)
		})
		return fmt.Sprintf("handshakes: %v", t.by)
	}
}

// recorder keeps the first bytes of a TLS client.
type recorder struct {
	net.Conn
	sent bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error)      { return r.sent.Write(p) }
func (r *recorder) Read([]byte) (int, error)         { return 0, io.EOF }
func (r *recorder) Close() error                     { return nil }
func (r *recorder) SetDeadline(time.Time) error      { return nil }
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

func clientHello(protocols ...string) []byte {
	var r recorder
	_ = tls.Client(&r, tlsConfig(protocols...)).Handshake() //nolint:noctx // fails as soon as it reads
	return r.sent.Bytes()
}

// hellos sends a ClientHello and closes.
func hellos(perSecond float64, at int) func(context.Context, string) string {
	return func(ctx context.Context, target string) string {
		hello := clientHello("h2")
		var t tally
		paced(ctx, perSecond, at, func() {
			c, err := dial(ctx, target)
			if err != nil {
				t.add(0)
				return
			}
			_, _ = c.Write(hello)
			time.Sleep(5 * time.Millisecond) // rtbeat reads it in this time
			_ = c.Close()
			t.add(1)
		})
		return fmt.Sprintf("hellos: %v", t.by)
	}
}
