package sender

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ask posts to a server that calls answer for each connection.
func ask(t *testing.T, timeout time.Duration, answer func(net.Conn)) (a Answer) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			answer(conn)
			_ = conn.Close()
		}
	}()
	client := NewClient(url.URL{Scheme: "http", Host: listener.Addr().String(), User: url.UserPassword("u", "hidden"), RawQuery: "hidden"}, "/in", nil, timeout)
	a = client.Post(t.Context(), "application/json", []byte("{}"), func(*http.Request) {})
	client.http.CloseIdleConnections()
	require.NoError(t, listener.Close())
	<-ended
	return a
}

// afterRequest answers once the request is complete.
func afterRequest(answer string) func(net.Conn) {
	return func(conn net.Conn) {
		if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.Copy(io.Discard, req.Body)
			fmt.Fprint(conn, answer)
		}
	}
}

func whole(code int, body string) string {
	return fmt.Sprintf("HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s", code, len(body), body)
}

func TestAnswers(t *testing.T) {
	for answer, want := range map[string]string{
		whole(200, `{"status":"OK","ack":"delivered"}`):                               "",
		whole(200, `{"status":"OK","ack":"persisted","messages":3}`):                  "",
		whole(200, `{"status":"OK"}`):                                                 "200 is no answer of rtbeat",
		whole(200, ``):                                                                "200 is no answer of rtbeat",
		whole(200, `hidden`):                                                          "200 is no answer of rtbeat",
		whole(503, `{"ack":"delivered"}`):                                             "503 is no answer of rtbeat",
		whole(302, `{}`):                                                              "302 is no answer of rtbeat",
		whole(502, `<html>hidden`):                                                    "502 is no answer of rtbeat",
		whole(401, `{"reason":"unauthorized","message":"m"}`):                         "401 unauthorized: m. Compare",
		whole(400, `{"reason":"\u001b[31mr","message":"\u0007\nTLS... OK"}`):          `400 \x1b[31mr: \a\nTLS... OK`,
		"HTTP/1.1 302 Found\r\nLocation: http://hidden/\r\nContent-Length: 0\r\n\r\n": "302 is no answer of rtbeat",
		"HTTP/1.1 200 OK\r\n\x1b[31mhidden\r\n\r\n":                                   "speaks no HTTP",
		"\x1b[31mhidden\r\n\r\n":                                                      "speaks no HTTP",
		"220 hidden ESMTP\r\n":                                                        "speaks no HTTP",
		"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{":                              "closed without an answer",
		"": "closed without an answer",
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("hidden: hidden\r\n", 1<<16):    "closed without an answer",
		whole(400, `{"reason":"r","message":"`+strings.Repeat("m", 1000)+`"}`): "400 r: mmm",
	} {
		a := ask(t, 10*time.Second, afterRequest(answer))
		err := a.Err()
		if want == "" {
			require.NoError(t, err, answer)
			continue
		}
		require.ErrorContains(t, err, want, answer)
		require.NotContains(t, err.Error(), "hidden")
		require.False(t, strings.ContainsAny(err.Error(), "\x1b\a\n"), "%q", err)
		require.Less(t, len(err.Error()), 700)
	}
}

func TestTheTimeoutEndsTheWaitForAnAnswer(t *testing.T) {
	begun := time.Now()
	a := ask(t, 200*time.Millisecond, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	require.ErrorContains(t, a.Err(), "within --timeout")
	require.Less(t, time.Since(begun), 5*time.Second)
}

func TestAddressesWithoutRtbeat(t *testing.T) {
	for to, want := range map[string]string{
		"http://127.0.0.1:1":      "connection refused: nothing listens there",
		"unix:///nowhere/in.sock": "there is no such socket",
	} {
		at, err := url.Parse(to)
		require.NoError(t, err)
		a := NewClient(*at, "/in", nil, 5*time.Second).Post(t.Context(), "", nil, func(*http.Request) {})
		require.ErrorContains(t, a.Err(), want)
		require.False(t, a.isFinal())
	}
}

func TestRetryAfterIsBounded(t *testing.T) {
	for header, want := range map[string]time.Duration{"3": 3 * time.Second, "": 0, "-1": 0, "99999999999999999999": 5 * time.Minute, "x": 0} {
		a := ask(t, 10*time.Second, afterRequest("HTTP/1.1 503 x\r\nRetry-After: "+header+"\r\nContent-Length: 0\r\n\r\n"))
		require.Equal(t, want, a.After, header)
		require.False(t, a.isFinal())
	}
}

func TestUnixSockets(t *testing.T) {
	listener, err := net.Listen("unix", t.TempDir()+"/in.sock")
	require.NoError(t, err)
	paths := make(chan string, 1)
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths <- r.URL.Path
		fmt.Fprint(w, `{"ack":"delivered"}`)
	})}
	go func() { _ = server.Serve(listener) }()
	client := NewClient(url.URL{Scheme: "unix", Path: listener.Addr().String()}, "/github", nil, 5*time.Second)
	a := client.Post(t.Context(), "", nil, func(*http.Request) {})
	require.NoError(t, a.Err())
	require.Equal(t, "/github", <-paths)
	client.http.CloseIdleConnections()
	require.NoError(t, server.Shutdown(context.Background()))
}
