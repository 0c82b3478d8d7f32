//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// leaver is a process that stops while senders have connections to it.
type leaver struct {
	beat     *harness.Beat
	sink     *lumbersink.Sink
	ca       *harness.Authority // nil without TLS
	messages int
}

func startLeaver(t *testing.T, secure bool, more map[string]any) *leaver {
	t.Helper()
	p := &leaver{sink: harness.StartSink(t, lumbersink.Immediate())}
	settings := map[string]any{
		"timeout": 8, "shutdown_timeout": 15,
		"admin": map[string]any{"host": "127.0.0.1", "port": freePort(t)},
	}
	maps.Copy(settings, more)
	if secure {
		p.ca = harness.NewAuthority(t)
		certificate, key := harness.InPEM(t, p.ca.Issue(t, harness.CertificateFor("server")))
		settings["ssl"] = map[string]any{"certificate": certificate, "key": key}
	}
	p.beat = harness.StartBeat(t, harness.Settings{Sink: p.sink.Addr(), Rtbeat: settings})
	return p
}

// dial connects, with TLS and these protocols where the process has TLS.
func (p *leaver) dial(t *testing.T, protocols ...string) net.Conn {
	t.Helper()
	conn := dialFrom(t, "", p.beat.Addr)
	if p.ca == nil {
		return conn
	}
	secure := tls.Client(conn, &tls.Config{ServerName: "server", RootCAs: p.ca.Pool, NextProtos: protocols})
	ctx, cancel := context.WithTimeout(t.Context(), answerWithin)
	defer cancel()
	require.NoError(t, secure.HandshakeContext(ctx))
	return secure
}

// batch is a batch of one new message.
func (p *leaver) batch() string {
	p.messages++
	return batchOf(fmt.Sprintf(`{"uuid":"m-%d"}`, p.messages))
}

// requireAll requires that the process ends well, and that the sink has each message once.
func (p *leaver) requireAll(t *testing.T) {
	t.Helper()
	code, _ := p.beat.WaitExit(answerWithin)
	require.Zero(t, code)
	ids := make(map[string]bool)
	for _, e := range p.sink.Events() {
		id, _, err := harness.MessageOf(e.Raw)
		require.NoError(t, err)
		require.False(t, ids[id], "%s is a copy", id)
		ids[id] = true
	}
	require.Len(t, ids, p.messages)
}

// requireLast requires an answer that ends its connection.
func requireLast(t *testing.T, l *line, code int) {
	t.Helper()
	a := l.read(t, "POST")
	require.Equal(t, code, a.code, "%s", a.raw)
	require.Equal(t, "close", a.header.Get("Connection"), "%s", a.raw)
	l.requireEnd(t)
}

// A shutdown costs no request: each answer from the signal on ends its connection, on connections of any age and in any state.
func TestEachConnectionEndsWithAnAnswerAfterSIGTERM(t *testing.T) {
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startLeaver(t, secure, map[string]any{"shutdown_delay": 2})
			kept := func() *line {
				l := newLine(t, p.dial(t))
				l.write(post(p.batch()))
				a := l.read(t, "POST")
				require.Equal(t, http.StatusOK, a.code, "%s", a.raw)
				require.Empty(t, a.header.Get("Connection"))
				return l
			}
			waits, body, used, refused, pipelined, late, never := kept(), kept(), kept(), kept(), kept(), kept(), kept()
			p.sink.SetPolicy(lumbersink.Never())
			before := p.sink.Received()
			waits.write(post(p.batch()))
			harness.Arrived(t, p.sink, before+1)
			whole := post(p.batch())
			body.write(whole[:len(whole)-9])
			harness.Await(t, prompt, "two requests inside", func() bool { return p.beat.Metric("rtbeat_in_flight_requests") == 2 })

			signalled := p.beat.Terminate()
			harness.Await(t, prompt, "not ready", func() bool { return p.beat.Get("/readyz").Code == http.StatusServiceUnavailable })
			harness.RecoverSink(p.sink)
			requireLast(t, waits, http.StatusOK)
			used.write(post(p.batch()))
			requireLast(t, used, http.StatusOK)
			refused.write(post("no JSON"))
			requireLast(t, refused, http.StatusBadRequest)
			pipelined.write(post(p.batch()) + post(batchOf(`{"uuid":"behind the last answer"}`)))
			requireLast(t, pipelined, http.StatusOK)
			fresh := newLine(t, p.dial(t))
			fresh.write(post(p.batch()))
			requireLast(t, fresh, http.StatusOK)
			require.Less(t, time.Since(signalled), 2*time.Second, "the test needs all of that within shutdown_delay")

			harness.Await(t, prompt, "a closed port", func() bool { return refusesConnections(p.beat.Addr) })
			late.write(post(p.batch()))
			requireLast(t, late, http.StatusOK)
			never.requireEnd(t)
			body.write(whole[len(whole)-9:])
			requireLast(t, body, http.StatusOK)
			p.requireAll(t)
		})
	}
}

// On HTTP/2 the next answer comes with GOAWAY. The open streams are answered, and then the connection ends.
func TestHTTP2ConnectionsGoAwayAfterSIGTERM(t *testing.T) {
	t.Parallel()
	p := startLeaver(t, true, map[string]any{"shutdown_delay": 4})
	l, idle := newLine2(t, p.dial(t, "h2")), newLine2(t, p.dial(t, "h2"))
	for _, c := range []*line2{l, idle} {
		require.Equal(t, http.StatusOK, c.answer(t, c.send(t, p.batch())).code)
	}
	p.sink.SetPolicy(lumbersink.Never())
	before := p.sink.Received()
	waits := l.send(t, p.batch())
	harness.Arrived(t, p.sink, before+1)
	text := p.batch()
	body := l.post(t, false)
	l.body(t, body, text[:5], false)
	harness.Await(t, prompt, "two requests inside", func() bool { return p.beat.Metric("rtbeat_in_flight_requests") == 2 })

	p.beat.Terminate()
	harness.Await(t, prompt, "not ready", func() bool { return p.beat.Get("/readyz").Code == http.StatusServiceUnavailable })
	require.Equal(t, http.StatusOK, l.answer(t, l.send(t, "[]")).code)
	require.Equal(t, http2.ErrCodeNo, l.requireGoAway(t))
	require.Equal(t, http.StatusBadRequest, idle.answer(t, idle.send(t, "no JSON")).code)
	require.Equal(t, http2.ErrCodeNo, idle.requireGoAway(t))
	idle.requireEnd(t)

	l.body(t, body, text[5:], true)
	harness.RecoverSink(p.sink)
	require.Equal(t, http.StatusOK, l.answer(t, waits).code)
	require.Equal(t, http.StatusOK, l.answer(t, body).code)
	l.requireEnd(t)
	p.requireAll(t)
}

// curl keeps a connection between two requests, and makes another one for the second request of a process that stops.
func TestCurlConnectsAgainAfterSIGTERM(t *testing.T) {
	t.Parallel()
	path := harness.FindProgram(t, "curl")
	p := startLeaver(t, false, map[string]any{"shutdown_delay": 2})
	connects := func() string {
		args := []string{
			"--silent", "--show-error", "--max-time", "10", "--json", p.batch(), "--output", "/dev/null", "--output", "/dev/null",
			"--write-out", `%{http_code} with %{num_connects}\n`, "http://" + p.beat.Addr + "/in", "http://" + p.beat.Addr + "/in",
		}
		out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
	require.Equal(t, "200 with 1\n200 with 0", connects())
	p.beat.Terminate()
	harness.Await(t, prompt, "not ready", func() bool { return p.beat.Get("/readyz").Code == http.StatusServiceUnavailable })
	require.Equal(t, "200 with 1\n200 with 1", connects())
	p.requireAll(t)
}
