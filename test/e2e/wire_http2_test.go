//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/txn2/rtbeat/test/harness"
)

// http2Cases are requests in frames. Their answers are those of HTTP/1. Their faults are HTTP/2's.
func http2Cases(t testing.TB, s *script) {
	t.Helper()
	one := func(name string, play func(t *testing.T, g *rig, l *line2) (id uint32), want reply) {
		s.does("http2: "+name, func(t *testing.T, g *rig) {
			t.Helper()
			l := newLine2(t, g.connect(t, "sender h2"))
			id := play(t, g, l)
			g.hear2(t, l, want, id)
		})
	}
	body := func(name, text string, want reply, fields ...string) {
		one(name, func(t *testing.T, _ *rig, l *line2) uint32 {
			t.Helper()
			return l.send(t, text, fields...)
		}, want)
	}
	message := func() (m, body string) {
		m = s.message()
		return m, batchOf(m)
	}

	m, text := message()
	body("a batch", text, ok(m))
	m, text = message()
	body("a batch with its length", text, ok(m), "content-length", strconv.Itoa(len(text)), "content-type", "application/json; charset=utf-8")
	m, _ = message()
	body("NDJSON", m+"\n", ok(m), "content-type", "application/x-ndjson")
	for _, coding := range bodyCodings[1:] {
		m, text = message()
		name := strings.ToLower(strings.TrimSpace(coding.header[len("Content-Encoding:"):]))
		body("in "+coding.name, string(coding.encode([]byte(text))), ok(m), "content-encoding", name)
	}
	m, text = message()
	one("in frames of a byte, and of none", func(t *testing.T, _ *rig, l *line2) uint32 {
		t.Helper()
		id := l.post(t, false)
		for _, c := range text {
			l.body(t, id, string(c), false)
			l.body(t, id, "", false)
		}
		l.body(t, id, "", true)
		return id
	}, ok(m))
	m2, text2 := message()
	one("with trailers", func(t *testing.T, _ *rig, l *line2) uint32 {
		t.Helper()
		id := l.post(t, false)
		l.body(t, id, text2, false)
		require.NoError(t, l.headers(id, true, "x-check", secret))
		return id
	}, ok(m2))
	m3, text3 := message()
	one("asked for", func(t *testing.T, _ *rig, l *line2) uint32 {
		t.Helper()
		id := l.post(t, false, "expect", "100-continue")
		l.until(t, "100", func() bool { return l.streams[id] != nil && len(l.streams[id].interim) > 0 })
		l.body(t, id, text3, true)
		return id
	}, ok(m3))
	m4, text4 := message()
	one("with padding", func(t *testing.T, _ *rig, l *line2) uint32 {
		t.Helper()
		id := l.post(t, false)
		require.NoError(t, l.framer.WriteDataPadded(id, true, []byte(text4), make([]byte, 255)))
		return id
	}, ok(m4))

	body("nothing", "", no("empty_body"))
	body("bad JSON", `[{"k":"`+secret+`"`, no("malformed_json"))
	body("a string", `"`+secret+`"`, no("wrong_shape"))
	body("another size", `{"size":2,"messages":[{}]}`, no("size_mismatch"))
	body("too many", "["+strings.Repeat("{},", plainMessages)+"{}]", no("too_many_messages"))
	body("corrupt", text, no("corrupt_encoding"), "content-encoding", "gzip")
	body("the wrong type", text, no("unsupported_media_type"), "content-type", "text/csv")
	body("two types", text, no("unsupported_media_type"), "content-type", "application/json", "content-type", "application/json")
	body("the wrong coding", text, no("unsupported_encoding"), "content-encoding", "br")
	body("another path", text, no("not_found"), ":path", "/"+secret)
	body("another method", text, no("method_not_allowed").with("Allow", "POST"), ":method", "PUT")
	body("an id", text, no("not_found").with("X-Request-Id", "h2-1"), ":path", "/x", "x-request-id", "h2-1")
	body("too large", "["+strings.Repeat(" ", plainLimit), no("body_too_large"))
	body("a bomb", string(gzipped(bomb)), no("body_too_large"), "content-encoding", "gzip")
	body("shorter than its length", text, no("body_truncated"), "content-length", strconv.Itoa(len(text)+1))
	one("too large, announced", func(t *testing.T, _ *rig, l *line2) uint32 {
		t.Helper()
		return l.post(t, false, "content-length", fmt.Sprint(plainLimit+1))
	}, no("body_too_large"))
	one("refused before it is asked for", func(t *testing.T, _ *rig, l *line2) uint32 {
		t.Helper()
		return l.post(t, false, "expect", "100-continue", "content-encoding", "br")
	}, no("unsupported_encoding"))
	one("too slow", func(t *testing.T, _ *rig, l *line2) uint32 {
		t.Helper()
		id := l.post(t, false)
		l.body(t, id, "[", false)
		return id
	}, no("body_timeout"))

	http2Broken(s)
	s.does("http2: ten at the same time", func(t *testing.T, g *rig) {
		t.Helper()
		l := newLine2(t, g.connect(t, "sender h2"))
		var messages []string
		var ids []uint32
		for range 10 {
			messages = append(messages, g.message())
			ids = append(ids, l.post(t, false))
		}
		for i, id := range ids { // one after the other, in their order
			l.body(t, id, batchOf(messages[i]), true)
			g.hear(t, &exchange{}, ok(messages[i]), l.answer(t, id))
		}
	})
	s.does("http2: forbidden", func(t *testing.T, g *rig) {
		t.Helper()
		l := newLine2(t, g.connect(t, "other h2"))
		for range 2 {
			g.hear(t, &exchange{}, no("forbidden"), l.answer(t, l.send(t, batchOf(g.message()))))
		}
	})
	s.does("http2: a sender that leaves in its body", func(t *testing.T, g *rig) {
		t.Helper()
		before := g.answered()
		l := newLine2(t, g.connect(t, "sender h2"))
		l.body(t, l.post(t, false), "[", false)
		harness.Await(t, answerWithin, "a request inside", func() bool { return g.beat.Metric("rtbeat_in_flight_requests") == 1 })
		require.NoError(t, l.conn.Close())
		g.awaitAnswers(t, before+1)
		g.note("body_truncated")
	})
}

// hear2 checks the answer on a stream, and the connection after it.
func (g *rig) hear2(t testing.TB, l *line2, want reply, id uint32) {
	t.Helper()
	got := l.answer(t, id)
	if want.reason == "unsupported_encoding" {
		require.Empty(t, l.streams[id].interim, "100 before a refusal")
	}
	if g.hear(t, &exchange{}, want, got) {
		require.Equal(t, http2.ErrCodeNo, l.requireGoAway(t))
		if want.reason == "body_timeout" { // one for all: it takes a second
			l.requireEnd(t)
		}
		return
	}
	m := g.message()
	g.hear(t, &exchange{}, ok(m), l.answer(t, l.send(t, batchOf(m))))
	require.Nil(t, l.goAway)
}

// http2Broken are invalid streams of HTTP/2.
func http2Broken(s *script) {
	var manyFields []string
	for i := range plainHeaders / 60 {
		manyFields = append(manyFields, fmt.Sprintf("x-pad-%d", i), strings.Repeat("x", 60))
	}
	// reset is a request without an answer, with only the end of its stream, or an answer in plain text. The connection stays
	// open.
	reset := func(name string, play func(t *testing.T, l *line2) (id uint32), code http2.ErrCode, plainCode int) {
		s.does("http2: broken: "+name, func(t *testing.T, g *rig) {
			t.Helper()
			l := newLine2(t, g.connect(t, "sender h2"))
			id := play(t, l)
			l.until(t, "the end of the stream", func() bool {
				s := l.streams[id]
				return s != nil && (s.reset != nil || s.ended)
			})
			if plainCode != 0 {
				require.Equal(t, plainCode, l.streams[id].code)
				require.NotContains(t, string(l.streams[id].raw), secret)
				g.hits.add("plain " + strconv.Itoa(plainCode))
			} else {
				require.NotNil(t, l.streams[id].reset)
				require.Equal(t, code, *l.streams[id].reset)
			}
			m := g.message()
			g.hear(t, &exchange{}, ok(m), l.answer(t, l.send(t, batchOf(m))))
		})
	}
	fields := func(pairs ...string) func(t *testing.T, l *line2) uint32 {
		return func(t *testing.T, l *line2) uint32 {
			t.Helper()
			return l.open(t, true, pairs...)
		}
	}
	post := func(pairs ...string) func(t *testing.T, l *line2) uint32 {
		return func(t *testing.T, l *line2) uint32 {
			t.Helper()
			return l.post(t, true, pairs...)
		}
	}
	reset("no path", fields(":method", "POST", ":scheme", "https", ":authority", "x"), http2.ErrCodeProtocol, 0)
	reset("no method", fields(":scheme", "https", ":authority", "x", ":path", "/in"), http2.ErrCodeProtocol, 0)
	reset("two paths", fields(":method", "POST", ":scheme", "https", ":authority", "x", ":path", "/in", ":path", "/out"), http2.ErrCodeProtocol, 0)
	reset("a pseudo-field behind others", fields(":method", "POST", ":scheme", "https", "x-a", "b", ":path", "/in"), http2.ErrCodeProtocol, 0)
	reset("an unknown pseudo-field", fields(":method", "POST", ":scheme", "https", ":path", "/in", ":x", secret), http2.ErrCodeProtocol, 0)
	reset("capitals in a name", post("X-Secret", secret), http2.ErrCodeProtocol, 0)
	reset("a line break in a value", post("x-a", "b\r\ncontent-length: 5"), http2.ErrCodeProtocol, 0)
	reset("a NUL in a value", post("x-a", "b\x00"), http2.ErrCodeProtocol, 0)
	reset("chunks", post("transfer-encoding", "chunked"), 0, 400)
	reset("a header of the connection", post("connection", "close"), 0, 400)
	reset("TE", post("te", "gzip"), 0, 400)
	reset("too much in headers", post(manyFields...), 0, 431)
	s.does("http2: broken: longer than its length", func(t *testing.T, g *rig) {
		t.Helper()
		l := newLine2(t, g.connect(t, "sender h2"))
		id := l.post(t, false, "content-length", "2")
		l.body(t, id, "[]"+secret, true)
		l.until(t, "the end of the stream", func() bool { return l.streams[id] != nil && l.streams[id].reset != nil })
		require.Equal(t, http2.ErrCodeProtocol, *l.streams[id].reset)
		require.Equal(t, http2.ErrCodeNo, l.requireGoAway(t))
		g.note("body_truncated")
	})
	s.does("http2: broken: more streams than allowed", func(t *testing.T, g *rig) {
		t.Helper()
		before := g.answered()
		l := newLine2(t, g.connect(t, "sender h2"))
		var open []uint32
		for range 32 {
			open = append(open, l.post(t, false))
		}
		id := l.post(t, false)
		l.until(t, "a refusal", func() bool { return l.streams[id] != nil && l.streams[id].reset != nil })
		// It depends on the time of the settings.
		require.Contains(t, []http2.ErrCode{http2.ErrCodeRefusedStream, http2.ErrCodeProtocol}, *l.streams[id].reset)
		require.NoError(t, l.framer.WritePing(false, [8]byte{1}))
		l.until(t, "an answer to a ping", func() bool { return l.pongs > 0 })
		for _, o := range open {
			require.NoError(t, l.framer.WriteRSTStream(o, http2.ErrCodeCancel))
			g.note("body_truncated") // no sender reads it
		}
		g.awaitAnswers(t, before+len(open))
	})

	for name, write := range map[string]func(l *line2) error{
		"a stream of an even number": func(l *line2) error {
			return l.headers(2, true, ":method", "GET", ":scheme", "https", ":path", "/livez")
		},
		"data before headers": func(l *line2) error { return l.framer.WriteData(1, true, []byte(secret)) },
		"a number that goes back": func(l *line2) error {
			if err := l.headers(5, true, ":method", "GET", ":scheme", "https", ":path", "/x"); err != nil {
				return err
			}
			return l.headers(3, true, ":method", "GET", ":scheme", "https", ":path", "/x")
		},
		"a frame beyond its size": func(l *line2) error { return l.framer.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 1<<20+1)) },
		"a ping of a wrong size":  func(l *line2) error { return l.framer.WriteRawFrame(http2.FramePing, 0, 0, []byte(secret)) },
		"settings on a stream":    func(l *line2) error { return l.framer.WriteRawFrame(http2.FrameSettings, 0, 1, nil) },
		"a window of nothing":     func(l *line2) error { return l.framer.WriteWindowUpdate(0, 0) },
		"far too much in headers": func(l *line2) error {
			return l.headers(1, true, ":method", "POST", ":path", "/in", "x-pad", strings.Repeat("x", 4*plainHeaders))
		},
		"no HPACK": func(l *line2) error {
			return l.framer.WriteRawFrame(http2.FrameHeaders, 5, 1, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
		},
		"headers that go on": func(l *line2) error { return l.framer.WriteRawFrame(http2.FrameContinuation, 4, 1, nil) },
	} {
		s.does("http2: broken: "+name, func(t *testing.T, g *rig) {
			t.Helper()
			l := newLine2(t, g.connect(t, "sender h2"))
			_ = write(l)
			require.NotEqual(t, http2.ErrCodeNo, l.requireGoAway(t))
			if name == "a number that goes back" {
				g.note("not_found") // its answer may be lost
			}
		})
	}
}
