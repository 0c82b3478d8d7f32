package cmd

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// ask posts to a server that calls answer for each connection.
func ask(t *testing.T, timeout time.Duration, respond func(net.Conn)) (answer, error) {
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
			respond(conn)
			_ = conn.Close()
		}
	}()
	client := intakeClient{url: "http://" + listener.Addr().String() + "?hidden", http: http.Client{Timeout: timeout}}
	require.NoError(t, client.connect("/in"))
	a, err := client.post(t.Context(), http.Header{}, []byte("{}"))
	client.http.CloseIdleConnections()
	require.NoError(t, listener.Close())
	<-ended
	return a, err
}

// The proxy of the environment would get the secrets that rtbeat test intake sends, and could answer in place of rtbeat.
func TestTheIntakeIsTestedWithoutAProxy(t *testing.T) {
	client := intakeClient{url: "https://192.0.2.1:8081"}
	require.NoError(t, client.connect("/in"))
	transport, ok := client.http.Transport.(*http.Transport)
	require.True(t, ok)
	require.Nil(t, transport.Proxy)
}

// An address with the digits of a code is no answer with that code.
func TestDigitsOfAnAddressAreNoCode(t *testing.T) {
	client := intakeClient{url: "unix:///tmp/404/no.sock"}
	require.NoError(t, client.connect("/in"))
	_, err := client.post(t.Context(), http.Header{}, []byte("{}"))
	require.ErrorContains(t, err, "no answer")
}

// requireRetried requires that backoff.Retry would retry after an error, or not.
func requireRetried(t *testing.T, want bool, err error) {
	t.Helper()
	var permanent *backoff.PermanentError
	require.Equal(t, want, err != nil && !errors.As(err, &permanent), "%v", err)
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
		whole(503, `{"ack":"delivered"}`):                                             "503 ",
		whole(302, `{}`):                                                              "302 is no answer of rtbeat",
		whole(502, `<html>hidden`):                                                    "502 is no answer of rtbeat",
		whole(401, `{"reason":"unauthorized","message":"m"}`):                         "401 unauthorized: m. Compare",
		whole(400, `{"reason":"\u001b[31mr","message":"\u0007\nTLS... OK"}`):          `400 \x1b[31mr: \a\nTLS... OK`,
		"HTTP/1.1 302 Found\r\nLocation: http://hidden/\r\nContent-Length: 0\r\n\r\n": "302 is no answer of rtbeat",
		"HTTP/1.1 200 OK\r\n\x1b[31mhidden\r\n\r\n":                                   "no answer",
		"\x1b[31mhidden\r\n\r\n":                                                      "no answer",
		"220 hidden ESMTP\r\n":                                                        "no answer",
		"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{":                              "200 is no answer of rtbeat",
		"": "no answer",
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("hidden: hidden\r\n", 1<<16):    "no answer",
		whole(400, `{"reason":"r","message":"`+strings.Repeat("m", 1000)+`"}`): "400 r: mmm",
	} {
		_, err := ask(t, 10*time.Second, afterRequest(answer))
		if want == "" {
			require.NoError(t, err, answer)
			continue
		}
		require.ErrorContains(t, err, want, answer)
		require.NotContains(t, err.Error(), "hidden")
		require.False(t, strings.ContainsAny(err.Error(), "\x1b\a\n"), "%q", err)
		require.Less(t, len(err.Error()), 17<<10)
		requireRetried(t, !strings.HasPrefix(err.Error(), "302") && !strings.HasPrefix(err.Error(), "40"), err)
	}
}

func TestTheTimeoutEndsTheWaitForAnAnswer(t *testing.T) {
	begun := time.Now()
	_, err := ask(t, 200*time.Millisecond, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	require.ErrorContains(t, err, "--timeout")
	requireRetried(t, true, err)
	require.Less(t, time.Since(begun), 5*time.Second)
}

func TestAddressesWithoutRtbeat(t *testing.T) {
	for to, want := range map[string]string{
		"http://127.0.0.1:1":      "connection refused: check that rtbeat listens there",
		"unix:///nowhere/in.sock": "no answer: check the URL",
	} {
		client := intakeClient{url: to}
		require.NoError(t, client.connect("/in"))
		_, err := client.post(t.Context(), http.Header{}, nil)
		require.ErrorContains(t, err, want)
		requireRetried(t, true, err)
	}
}

func TestAnExpiredCertificateIsNamed(t *testing.T) {
	authority := harness.NewAuthority(t)
	expired := harness.CertificateFor("logs.example.com")
	expired.NotAfter = time.Now().Add(-time.Minute)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, expired)}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	client := intakeClient{url: server.URL}
	client.tls.CAs = []string{authority.PEM}
	require.NoError(t, client.connect("/in"))
	_, err := client.post(t.Context(), http.Header{}, emptyBatch)
	require.ErrorContains(t, err, "certificate is expired or not yet valid")
}

func TestCodesThatAreRetried(t *testing.T) {
	for code, want := range map[int]bool{200: true, 201: false, 308: false, 400: false, 401: false, 408: true, 413: false, 429: true, 499: false, 500: true, 503: true} {
		for _, body := range []string{`{"reason":"r"}`, "<html>"} {
			_, err := ask(t, 10*time.Second, afterRequest(whole(code, body)))
			requireRetried(t, want, err)
		}
	}
}

func TestRetryAfterIsBounded(t *testing.T) {
	for header, want := range map[string]time.Duration{"3": 3 * time.Second, "": 0, "-1": 0, "99999999999999999999": 5 * time.Minute, "x": 0} {
		_, err := ask(t, 10*time.Second, afterRequest("HTTP/1.1 503 x\r\nRetry-After: "+header+"\r\nContent-Length: 0\r\n\r\n"))
		requireRetried(t, true, err)
		var after backoff.RetryAfterError
		if target := new(backoff.RetryAfterError); errors.As(err, &target) {
			after = *target
		}
		require.GreaterOrEqual(t, after.Duration, want, header)
		require.LessOrEqual(t, after.Duration, want*3/2, header)
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
	client := intakeClient{url: "unix://" + listener.Addr().String()}
	require.NoError(t, client.connect("/github"))
	_, err = client.post(t.Context(), http.Header{}, nil)
	require.NoError(t, err)
	require.Equal(t, "/github", <-paths)
	client.http.CloseIdleConnections()
	require.NoError(t, server.Shutdown(context.Background()))
}

func TestURLsOfRtbeat(t *testing.T) {
	for text, want := range map[string]string{
		"http://localhost":             "http://localhost/in",
		"http://localhost:8081/":       "http://localhost:8081/in",
		"https://[::1]":                "https://[::1]/in",
		"https://example.com:1/a/in":   "https://example.com:1/a/in",
		"unix:///run/rtbeat/in.sock":   "http://localhost/in",
		"":                             "",
		"localhost:8081":               "",
		"ftp://localhost":              "",
		"http://":                      "",
		"unix://in.sock":               "",
		"http://user:hidden@localhost": "",
		"http://user:hidden@[::1":      "",
	} {
		client := intakeClient{url: text}
		err := client.connect("/in")
		if want == "" {
			require.ErrorContains(t, err, "the URL must be http", text)
			require.NotContains(t, err.Error(), "hidden")
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, client.url)
	}
}
