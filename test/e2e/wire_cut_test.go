//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// cutCases are requests that end too early: the sender closes its direction, or the connection.
func cutCases(s *script) {
	m := s.message()
	body := batchOf(m)
	whole := post(body)
	cut := func(name, text string, want ...reply) {
		s.steps("cut: "+name, []step{send(text), halfClose}, want...)
		// A sender that closes the connection has no answer, and leaves nothing in flight.
		if len(want) > 0 && want[0].reason == "body_truncated" {
			s.does("left: "+name, func(t *testing.T, g *rig) {
				t.Helper()
				l := newLine(t, g.connect(t, ""))
				before := g.answered()
				l.write(text)
				require.NoError(t, l.conn.Close())
				g.awaitAnswers(t, before+1)
				g.note("body_truncated") // no sender reads it
			})
		}
	}
	cut("before anything", "")
	cut("in the request line", "POST /i", plain(400))
	cut("behind the request line", "POST /in HTTP/1.1\r\n", plain(400))
	cut("in a header", "POST /in HTTP/1.1\r\nHost: x\r\nContent-Le", plain(400))
	cut("before the headers end", "POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n", plain(400))
	cut("before the body", whole[:len(whole)-len(body)], no("body_truncated"))
	cut("behind one byte", whole[:len(whole)-len(body)+1], no("body_truncated"))
	cut("in the body", whole[:len(whole)-20], no("body_truncated"))
	cut("before the last byte", whole[:len(whole)-1], no("body_truncated"))

	frame := head("Transfer-Encoding: chunked")
	cut("before the first chunk", frame, no("body_truncated"))
	cut("in the size of a chunk", frame+"1", no("body_truncated"))
	cut("behind the size of a chunk", frame+"10\r\n", no("body_truncated"))
	cut("in an extension", frame+"10;a=", no("body_truncated"))
	cut("in a chunk", frame+"10\r\n[", no("body_truncated"))
	cut("behind a chunk", frame+"2\r\n[]", no("body_truncated"))
	cut("between chunks", frame+"2\r\n[]\r\n", no("body_truncated"))
	cut("in the last chunk", frame+"2\r\n[]\r\n0", no("body_truncated"))
	cut("in the trailers", frame+"2\r\n[]\r\n0\r\nX-A: b\r\n", no("body_truncated"))

	packed := string(gzipped([]byte(body)))
	whole = post(packed, "Content-Encoding: gzip")
	cut("in a compressed body", whole[:len(whole)-5], no("body_truncated"))
	cut("in a body of the wrong type", strings.Replace(whole, "gzip", "br", 1)[:len(whole)-5], no("unsupported_encoding").last())
}

// piped is a request among others, with its answer.
type piped struct {
	text string
	want reply
}

// pipelineCases are several requests in one go.
func pipelineCases(s *script) {
	good := func() piped {
		m := s.message()
		return piped{post(batchOf(m)), ok(m)}
	}
	bad := func() piped {
		return piped{post(`{"messages":[{"k":"` + secret + `"},{]}`), no("malformed_json")}
	}
	wrong := func() piped {
		return piped{post("["+s.message()+"]", "Content-Type: text/csv"), no("unsupported_media_type")}
	}
	live := func() piped {
		return piped{"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", reply{health: "/livez"}}
	}
	broken := piped{secret + "\r\n\r\n", plain(400)}
	large := piped{post("[" + strings.Repeat(" ", plainLimit)), no("body_too_large")}
	never := piped{post("[" + s.message() + "]"), reply{}}
	for name, requests := range map[string][]piped{
		"two good":               {good(), good()},
		"good, bad":              {good(), bad()},
		"bad, good":              {bad(), good()},
		"two bad, good":          {bad(), bad(), good()},
		"wrong type, good":       {wrong(), good()},
		"good, live, good":       {good(), live(), good()},
		"good, broken":           {good(), broken},
		"good, broken, good":     {good(), broken, never},
		"too large, good":        {large, never},
		"good, too large, good":  {good(), large, never},
		"twenty":                 append(many(18, good), bad(), good()),
		"good in chunks, good":   {inChunks(good()), good()},
		"good, bad in chunks":    {good(), inChunks(bad()), good()},
		"good, and a blank line": {{post("[]") + "\r\n", ok()}, good()},
	} {
		var text strings.Builder
		var want []reply
		for _, r := range requests {
			text.WriteString(r.text)
			if r.text != never.text {
				want = append(want, r.want)
			}
		}
		s.add("pipeline: "+name, text.String(), want...)
	}
}

// many repeats a text.
func many[T any](n int, one func() T) (list []T) {
	for range n {
		list = append(list, one())
	}
	return list
}

// inChunks is a request to /in with the same body in two chunks.
func inChunks(r piped) piped {
	_, body, _ := strings.Cut(r.text, "\r\n\r\n")
	r.text = chunked(body[:1], body[1:])
	return r
}
