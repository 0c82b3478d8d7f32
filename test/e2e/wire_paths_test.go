//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pathCases are other paths and other methods.
func pathCases(s *script) {
	for _, path := range []string{
		"/", "/in/", "//in", "/IN", "/in/x", "/in.json", "/in;x=1", "/in%2f", "/in%00", "/./in", "/x/../in", "/livez/", "/metrics/x",
		"/favicon.ico", "/debug/pprof/", "/" + secret, "http://x", "http://x/", "*",
	} {
		s.bad("path: "+path, strings.ReplaceAll(request("POST "+strings.ReplaceAll(path, "%", "%%")+" HTTP/1.1", "Content-Length: %d"), "%%", "%")+"%s", no("not_found"))
	}
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "post", "POSTS"} {
		s.bad("method: "+method, request(method+" /in HTTP/1.1", "Content-Length: %d")+"%s", no("method_not_allowed").with("Allow", "POST"))
	}
	s.add("method: HEAD", request("HEAD /in HTTP/1.1"), reply{reason: "method_not_allowed", bodiless: true}.with("Allow", "POST"))
	s.add("method: OPTIONS *", request("OPTIONS * HTTP/1.1"), no("not_found"))
	s.add("method: OPTIONS, CORS", request("OPTIONS /in HTTP/1.1", "Origin: http://evil.example", "Access-Control-Request-Method: POST"),
		no("method_not_allowed").with("Allow", "POST"))
	s.add("method: CONNECT", request("CONNECT example.com:443 HTTP/1.1"), no("not_found"))
	s.add("method: CONNECT /in", request("CONNECT /in HTTP/1.1"), no("method_not_allowed").with("Allow", "POST"))
	s.add("method: GET of another path", request("GET /"+secret+" HTTP/1.1"), no("not_found"))
	s.add("method: HEAD of another path", request("HEAD /other HTTP/1.1"), reply{reason: "not_found", bodiless: true})

	for _, path := range []string{"/livez", "/readyz"} {
		s.add("health: GET "+path, request("GET "+path+" HTTP/1.1"), reply{health: path})
		s.add("health: HEAD "+path, request("HEAD "+path+" HTTP/1.1"), reply{health: path, bodiless: true})
		s.add("health: GET with a body "+path, request("GET "+path+" HTTP/1.1", "Content-Length: 3")+"{}\n", reply{health: path})
	}
	for _, path := range []string{"/livez", "/readyz", "/metrics"} {
		for _, method := range []string{"POST", "DELETE", "OPTIONS"} {
			s.bad("health: "+method+" "+path, request(method+" "+path+" HTTP/1.1", "Content-Length: %d")+"%s",
				no("method_not_allowed").with("Allow", "GET, HEAD"))
		}
	}
	s.does("health: metrics", func(t *testing.T, g *rig) {
		t.Helper()
		l := newLine(t, g.connect(t, ""))
		l.write(request("GET /metrics HTTP/1.1"))
		got := l.read(t, "GET")
		require.Equal(t, 200, got.code)
		require.Contains(t, string(got.raw), "\nrtbeat_in_flight_events 0\n")
		require.NotContains(t, string(got.raw), secret)
	})

	// The rest of a body is read, up to 256 KiB, so that the connection stays open.
	const most = 256 << 10
	m := s.message()
	for name, c := range refusedUnread() {
		body := "[" + m + strings.Repeat(" ", most-2-len(m)) + "]"
		s.add("unread: "+name+", all but 256 KiB", request(c.start, fmt.Sprintf("Content-Length: %d", most-1))+body[:most-1], c.want)
		s.add("unread: "+name+", 256 KiB", request(c.start, fmt.Sprintf("Content-Length: %d", most))+body, c.want.last())
	}
	s.add("unread: 1 MiB", strings.Replace(post("["+strings.Repeat(" ", plainLimit-2)+"]"), "/in", "/out", 1), no("not_found").last())
	s.add("unread: chunks beyond 256 KiB", strings.Replace(chunked(strings.Repeat(" ", most), "  "), "/in", "/out", 1), no("not_found").last())
	s.add("unread: chunks within 256 KiB", strings.Replace(chunked(strings.Repeat(" ", 100_000), "  "), "/in", "/out", 1), no("not_found"))
}

// headed is the beginning of a request, and its answer.
type headed struct {
	start string
	want  reply
}

// refusedUnread are requests whose answer is known before their body is read.
func refusedUnread() map[string]headed {
	return map[string]headed{
		"wrong path":   {"POST /out HTTP/1.1", no("not_found")},
		"wrong method": {"PUT /in HTTP/1.1", no("method_not_allowed")},
		"wrong type":   {"POST /in HTTP/1.1\r\nContent-Type: text/csv", no("unsupported_media_type")},
		"wrong coding": {"POST /in HTTP/1.1\r\nContent-Encoding: br", no("unsupported_encoding")},
	}
}

// expectCases are senders with Expect: 100-continue.
func expectCases(s *script) {
	const asks = "Expect: 100-continue"
	m := s.message()
	body := batchOf(m)
	length := fmt.Sprintf("Content-Length: %d", len(body))
	s.steps("expect: the body is wanted", []step{send(head(asks, length)), hundred, send(body)}, ok(m))
	m = s.message()
	asked, sent := head("EXPECT: 100-Continue", "Transfer-Encoding: chunked"), fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(batchOf(m)), batchOf(m))
	s.steps("expect: in capitals", []step{send(asked), hundred, send(sent)}, ok(m))
	s.steps("expect: the body is wanted, and bad", []step{send(head(asks, "Content-Length: 2")), hundred, send("[}")}, no("malformed_json"))
	large := fmt.Sprintf("%x\r\n%s", plainLimit+1, strings.Repeat(" ", plainLimit+1))
	s.steps("expect: the body is wanted, and too large", []step{send(head(asks, "Transfer-Encoding: chunked")), hundred, send(large)}, no("body_too_large"))
	s.steps("expect: no body", []step{send(head(asks, "Content-Length: 0"))}, no("empty_body"))
	m = s.message()
	s.steps("expect: the sender does not wait", []step{send(post(batchOf(m), asks)), hundredOrNot}, ok(m))

	// The answer is known: it is sent at once, without the 100 and without the body.
	for name, c := range refusedUnread() {
		s.add("expect: "+name, request(c.start, asks, length), c.want.last()).andLeaves()
	}
	s.add("expect: too large", head(asks, fmt.Sprintf("Content-Length: %d", plainLimit+1)), no("body_too_large"))
	s.bad("expect: something else", head("Expect: "+secret, "Content-Length: %d")+"%s", plain(417))
}

// hundredOrNot skips the interim answer, which is optional after the body.
func hundredOrNot(t testing.TB, l *line) {
	t.Helper()
	start, err := l.r.Peek(len("HTTP/1.1 100"))
	require.NoError(t, err)
	if string(start) == "HTTP/1.1 100" {
		hundred(t, l)
	}
}
