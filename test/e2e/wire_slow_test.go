//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slowness is a sender that stops in the middle, with its expected answer.
type slowness struct {
	name, text string
	want       []reply
	// drip is sent in pieces. A single byte is repeated.
	drip string
	line *line
}

// playSlow are senders slower than read_timeout. All are slow at the same time.
func playSlow(t *testing.T, g *rig) {
	t.Helper()
	g.start(t, map[string]any{"read_timeout": 1})
	late := no("body_timeout")
	unread := "POST /out HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n["
	senders := []slowness{
		{name: "nothing at all"},
		{name: "in the request line", text: "POST /i", want: []reply{no("header_timeout")}},
		{name: "in the headers", text: "POST /in HTTP/1.1\r\nHost: x\r\nX-", want: []reply{no("header_timeout")}},
		{name: "dripping headers", text: "POST /in HTTP/1.1\r\nHost: x\r\nX-A: ", drip: "x", want: []reply{no("header_timeout")}},
		{name: "before the body", text: head("Content-Length: 10"), want: []reply{late}},
		{name: "in the body", text: halfARequest, want: []reply{late}},
		{name: "dripping body", text: head("Content-Length: 1000"), drip: " ", want: []reply{late}},
		{name: "in a chunk", text: head("Transfer-Encoding: chunked") + "5\r\n[", want: []reply{late}},
		{name: "in the size of a chunk", text: head("Transfer-Encoding: chunked") + "5", want: []reply{late}},
		{name: "between chunks", text: head("Transfer-Encoding: chunked") + "2\r\n[]\r\n", want: []reply{late}},
		{name: "in the trailers", text: head("Transfer-Encoding: chunked") + "2\r\n[]\r\n0\r\nX", want: []reply{late}},
		{name: "in a compressed body", text: head("Content-Length: 100", "Content-Encoding: gzip") + string(gzipped([]byte(batchOf(g.message())))[:20]), want: []reply{late}},
		{name: "asked to go on", text: head("Content-Length: 10", "Expect: 100-continue"), want: []reply{late}},
		{name: "in the second request", text: post("[]") + halfARequest, want: []reply{ok(), late}},
		{name: "in the headers of the second", text: post("[]") + "POST /in", want: []reply{ok(), {code: 400, orNone: true}}},
		{name: "the wrong type", text: strings.Replace(halfARequest, "json", "csv", 1), want: []reply{no("unsupported_media_type").last()}},
		{name: "the wrong path", text: unread, want: []reply{no("not_found").last()}},
	}
	// A body that arrives in time, though not at once, is accepted.
	m := g.message()
	senders = slices.Insert(senders, 0, slowness{name: "in time", text: head(fmt.Sprintf("Content-Length: %d", len(batchOf(m)))), drip: batchOf(m), want: []reply{ok(m)}})
	begun := time.Now()
	for i := range senders {
		s := &senders[i]
		s.line = newLine(t, g.connect(t, ""))
		s.line.write(s.text)
	}
	stop := make(chan struct{})
	var dripping sync.WaitGroup
	for i := range senders {
		dripping.Go(func() { senders[i].dribble(stop) })
	}
	defer dripping.Wait()
	defer close(stop)
	for i := range senders {
		g.does("slow: "+senders[i].name, func(t *testing.T, g *rig) {
			t.Helper()
			g.awaitEnd(t, senders[i], begun)
		})
	}
	g.run(t)
}

// dribble sends a few bytes at a time, to their end. A single byte is repeated.
func (s *slowness) dribble(stop <-chan struct{}) {
	for rest := s.drip; rest != ""; {
		select {
		case <-stop:
			return
		case <-time.After(50 * time.Millisecond):
		}
		part := rest[:min(len(rest), 40)]
		if _, err := io.WriteString(s.line.conn, part); err != nil {
			return
		}
		if len(s.drip) > 1 {
			rest = rest[len(part):]
		}
	}
}

// awaitEnd waits for a sender's answer.
func (g *rig) awaitEnd(t *testing.T, s slowness, begun time.Time) {
	t.Helper()
	for i, want := range s.want {
		if i == 0 && strings.Contains(s.text, "100-continue") {
			hundred(t, s.line)
		}
		if want.orNone && s.line.ended(t) {
			g.hits.add("plain 400, or none")
			return
		}
		g.hear(t, &exchange{}, want, s.line.read(t, "POST"))
	}
	if len(s.want) == 0 {
		g.hits.add("plain none")
	}
	if s.name == "in time" {
		return
	}
	s.line.requireEnd(t)
	took := time.Since(begun)
	require.GreaterOrEqual(t, took, 900*time.Millisecond)
	require.Less(t, took, 2*time.Second+slack)
}
