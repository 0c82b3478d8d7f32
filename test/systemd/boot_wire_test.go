//go:build linux && systemd

package systemd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"syscall"

	"golang.org/x/sys/unix"
)

// wire is one sender's connection. http.Transport sends a request again by itself if its connection is closed; these tests must
// see that failure. wire is for one goroutine.
type wire struct {
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	fresh bool // a connection for each request

	conn net.Conn
	in   *bufio.Reader
}

// RoundTrip sends a request once.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	// A connection that was closed before the request is no failure: every sender with kept connections must check for that.
	if w.conn != nil && w.closedByPeer() {
		w.close()
	}
	if w.conn == nil {
		conn, err := w.dial(req.Context(), "tcp", req.URL.Host)
		if err != nil {
			return nil, err
		}
		w.conn, w.in = conn, bufio.NewReader(conn)
	}
	resp, err := w.exchange(req)
	if err != nil || resp.Close || w.fresh {
		w.close()
	}
	return resp, err
}

func (w *wire) exchange(req *http.Request) (*http.Response, error) {
	if deadline, ok := req.Context().Deadline(); ok {
		if err := w.conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	out := req.Clone(req.Context())
	out.Close = w.fresh
	if err := out.Write(w.conn); err != nil {
		return nil, err
	}
	if _, err := w.in.Peek(1); err != nil {
		return nil, err
	}
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil {
		trace.GotFirstResponseByte()
	}
	resp, err := http.ReadResponse(w.in, req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// closedByPeer says whether the connection has its end, or unexpected bytes, to read.
func (w *wire) closedByPeer() bool {
	raw, err := w.conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return true
	}
	var peeked error
	err = raw.Read(func(fd uintptr) bool {
		_, _, peeked = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return true
	})
	return err != nil || !errors.Is(peeked, unix.EAGAIN)
}

func (w *wire) close() {
	_ = w.conn.Close() // it is of no more use
	w.conn = nil
}

// CloseIdleConnections is called by http.Client.
func (w *wire) CloseIdleConnections() {
	if w.conn != nil {
		w.close()
	}
}
