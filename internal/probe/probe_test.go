package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCheckAnswer(t *testing.T) {
	bearer, none := "rtbeat.auth.bearer", ""
	for _, tt := range []struct {
		status     int
		body       string
		credential string
		want       string // in the error; none when empty
	}{
		{200, `{"status":"OK","ack":"delivered"}`, none, ""},
		{200, `{"status":"OK","ack":"persisted","messages":0}`, bearer, ""},
		{200, `{"status":"OK"}`, none, "not an answer of rtbeat"},
		{200, "", none, "not an answer of rtbeat"},
		{302, `{}`, none, "not an answer of rtbeat"},
		{401, `{"status":"FAIL","reason":"unauthorized","message":"m"}`, none, "401 unauthorized: m. The configuration has no credentials"},
		{401, `{"status":"FAIL","reason":"unauthorized","message":"m"}`, bearer, "refuses rtbeat.auth.bearer of this configuration"},
		{403, `{"status":"FAIL","reason":"forbidden","message":"m"}`, none, "--certificate"},
		{404, `{"status":"FAIL","reason":"not_found","message":"m"}`, none, "rtbeat.admin.port"},
		{503, `{"status":"FAIL","reason":"stopping","message":"m"}`, none, "503 stopping: m"},
	} {
		err := checkAnswer(tt.status, []byte(tt.body), tt.credential)
		if tt.want == "" {
			require.NoError(t, err, tt.body)
			continue
		}
		require.ErrorContains(t, err, tt.want)
	}
}

// steps keeps the reports.
type steps []string

func (s *steps) Warn(step, reason string) { *s = append(*s, step+": "+reason) }

func (s *steps) Error(step string, err error) {
	result := "OK"
	if err != nil {
		result = err.Error()
	}
	*s = append(*s, step+": "+result)
}

// probe runs the probe against a server that calls answer for each connection.
func probe(t *testing.T, change func(*Target), answer func(net.Conn)) (steps, error) {
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
	target := Target{URL: &url.URL{Scheme: "http", Host: listener.Addr().String(), Path: "/in"}, Timeout: 10 * time.Second}
	change(&target)
	var told steps
	err = target.Run(t.Context(), &told)
	require.NoError(t, listener.Close())
	<-ended
	return told, err
}

func TestEachCredentialHasItsOwnConnection(t *testing.T) {
	var seen []http.Header
	set := func(name string) Credential {
		return Credential{Name: name, Set: func(req *http.Request, body string) { req.Header.Set("X-"+name, body) }}
	}
	told, err := probe(t,
		func(target *Target) { target.Credentials = []Credential{set("A"), set("B")} },
		func(conn net.Conn) {
			req, err := http.ReadRequest(bufio.NewReader(conn))
			if err != nil {
				return // without an answer the test fails
			}
			seen = append(seen, req.Header)
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n"+`{"status":"OK","ack":"delivered"}`)
		})
	require.NoError(t, err)
	require.Equal(t, steps{"dial up: OK", "TLS: secure connection disabled", "talk to intake with A: OK", "talk to intake with B: OK"}, told)
	require.Len(t, seen, 2)
	require.JSONEq(t, `{"messages":[]}`, seen[0].Get("X-A"))
	require.Empty(t, seen[0]["X-B"])
	require.Empty(t, seen[1]["X-A"])
	require.JSONEq(t, `{"messages":[]}`, seen[1].Get("X-B"))
}

func TestConnectionsWithoutAnAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(net.Conn)
		want   string
	}{
		"a connection that is closed": {func(net.Conn) {}, "closed without an answer"},
		"another protocol":            {func(conn net.Conn) { fmt.Fprint(conn, "220 hidden ESMTP\r\n") }, "speaks no HTTP"},
		"half an answer":              {func(conn net.Conn) { fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{") }, "closed without an answer"},
	} {
		t.Run(name, func(t *testing.T) {
			told, err := probe(t, func(*Target) {}, func(conn net.Conn) {
				if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_ = req.Body.Close()
					tt.answer(conn)
				}
			})
			require.ErrorIs(t, err, errFailed)
			require.Contains(t, told[len(told)-1], tt.want)
			require.NotContains(t, strings.Join(told, ""), "hidden")
		})
	}
}

func TestTheTimeoutEndsTheWaitForAnAnswer(t *testing.T) {
	begun := time.Now()
	told, err := probe(t, func(target *Target) { target.Timeout = 200 * time.Millisecond }, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1<<10))
		_, _ = bufio.NewReader(conn).ReadByte() // until the probe closes
	})
	require.ErrorIs(t, err, errFailed)
	require.Contains(t, told[len(told)-1], "--timeout")
	require.Less(t, time.Since(begun), 5*time.Second)
}

func TestErrorsOfTheDialer(t *testing.T) {
	target := Target{URL: &url.URL{Scheme: "http", Host: "a:1"}}
	for err, want := range map[error]string{
		&net.DNSError{Err: "no such host", Name: "a"}: "does not know the name",
		context.DeadlineExceeded:                      "rtbeat.max_connections",
		errors.New("another"):                         "another",
	} {
		require.ErrorContains(t, target.explain(err), want)
	}
}

// The server may be hostile: the answer is bounded, and no control character of it goes to the terminal.
func TestAnswersOfAnotherProgram(t *testing.T) {
	answered := func(answer func(net.Conn)) (last string) {
		told, err := probe(t, func(*Target) {}, func(conn net.Conn) {
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				answer(conn)
			}
		})
		require.ErrorIs(t, err, errFailed)
		require.Len(t, told, 3)
		return told[2]
	}
	body := `{"status":"FAIL","reason":"\u001b[31mr","message":"\u0007\nTLS... OK"}`
	for text, want := range map[string]string{
		fmt.Sprintf("HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s", len(body), body): "400 [31mr: TLS... OK",
		"HTTP/1.1 200 OK\r\n\x1b[31m\a\r\n\r\n":                                                  "speaks no HTTP",
		"\x1b[31m\a\r\n\r\n":                                                                     "speaks no HTTP",
	} {
		last := answered(func(conn net.Conn) { fmt.Fprint(conn, text) })
		require.Contains(t, last, want)
		require.False(t, strings.ContainsAny(last, "\x1b\a\n"), "%q", last)
	}

	sent := 0
	last := answered(func(conn net.Conn) {
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n")
		line := []byte("X-Header: " + strings.Repeat("a", 1<<20) + "\r\n")
		for range 64 {
			n, err := conn.Write(line)
			sent += n
			if err != nil {
				return
			}
		}
	})
	require.Contains(t, last, "closed without an answer")
	require.Less(t, sent, 32<<20, "more than the buffers of the sockets")
}
