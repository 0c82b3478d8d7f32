//go:build e2e

package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/txn2/rtbeat/test/harness"
)

// With max_connection_age, a connection ends with an answer, and never without one.
func TestAnOldConnectionEndsWithAnAnswer(t *testing.T) {
	t.Parallel()
	const age = time.Second
	p := startLeaver(t, false, map[string]any{"max_connection_age": age.String()})
	busy, idle := newLine(t, p.dial(t)), newLine(t, p.dial(t))
	began, answers := time.Now(), 0
	for closes := false; !closes; answers++ {
		busy.write(post(p.batch()))
		a := busy.read(t, "POST")
		require.Equal(t, http.StatusOK, a.code, "%s", a.raw)
		closes = a.header.Get("Connection") == "close"
		require.Less(t, time.Since(began), age*11/10+prompt)
		harness.Pause(t.Context(), age/50)
	}
	busy.requireEnd(t)
	require.GreaterOrEqual(t, time.Since(began), age*9/10)
	require.Greater(t, answers, 2, "it ended at once")

	require.NoError(t, idle.conn.SetReadDeadline(time.Now().Add(age/2)))
	_, err := idle.r.Peek(1)
	require.ErrorContains(t, err, "timeout", "an idle connection of its age is open")
	idle.write(post(p.batch()))
	requireLast(t, idle, http.StatusOK)
	require.InDelta(t, 2, p.beat.Metric("rtbeat_connections_accepted_total"), 0)
	p.beat.Terminate()
	p.requireAll(t)
}

// On HTTP/2 the answer comes with a GOAWAY, and the open streams are answered.
func TestAnOldHTTP2ConnectionGoesAway(t *testing.T) {
	t.Parallel()
	p := startLeaver(t, true, map[string]any{"max_connection_age": "1s"})
	l := newLine2(t, p.dial(t, "h2"))
	text := p.batch()
	body := l.post(t, false)
	l.body(t, body, text[:5], false)
	for began := time.Now(); l.goAway == nil; {
		require.Equal(t, http.StatusOK, l.answer(t, l.send(t, p.batch())).code)
		require.Less(t, time.Since(began), 2*prompt)
		harness.Pause(t.Context(), 20*time.Millisecond)
	}
	require.Equal(t, http2.ErrCodeNo, *l.goAway)
	l.body(t, body, text[5:], true)
	require.Equal(t, http.StatusOK, l.answer(t, body).code)
	l.requireEnd(t)
	p.beat.Terminate()
	p.requireAll(t)
}
