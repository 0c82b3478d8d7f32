//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// The limits of the process of most cases.
const (
	plainLimit    = 1 << 20
	plainMessages = 100
	plainDepth    = 12
	plainKey      = 2 << 10
	plainHeaders  = 4 << 10
)

// playPlain has all cases that need no setting except for smaller limits.
func playPlain(t *testing.T, g *rig) {
	t.Helper()
	g.start(t, map[string]any{
		"max_body_bytes": plainLimit, "max_messages": plainMessages, "max_depth": plainDepth, "max_key_bytes": plainKey,
		"max_header_bytes": plainHeaders, "include_headers": []string{"X-Tenant", "X-Zone"},
	})
	formCases(g.script)
	codingCases(t, g.script)
	typeCases(g.script)
	jsonCases(g.script)
	documentedBodies(g.script, g.promises)
	lineCases(g.script)
	headerCases(g.script)
	lengthCases(g.script)
	chunkCases(g.script)
	smuggleCases(g.script)
	cutCases(g.script)
	pipelineCases(g.script)
	expectCases(g.script)
	pathCases(g.script)
	idCases(g.script)
	g.run(t)
}

// lineCases are request lines, and versions of HTTP.
func lineCases(s *script) {
	s.good("line: HTTP/1.1", "POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s")
	s.good("line: HTTP/1.0", "POST /in HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s").andSaysSo()
	s.good("line: HTTP/1.0, asked to keep it", "POST /in HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n%s").andSaysSo()
	s.good("line: HTTP/1.0, with a request in its chunks", "POST /in HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n%sPOST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n[{}]").andSaysSo()
	s.good("line: HTTP/1.0 has no chunks", "POST /in HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n%s").andSaysSo()
	s.bad("line: HTTP/1.0 without a length", "POST /in HTTP/1.0\r\n\r\n%s", no("empty_body").last())
	s.good("line: asks for the end", request("POST /in HTTP/1.1", "Connection: close", "Content-Length: %d")+"%s").andSaysSo()
	s.good("line: asks for the end, among others", request("POST /in HTTP/1.1", "Connection: x, Close", "Content-Length: %d")+"%s").andSaysSo()
	s.good("line: HTTP/1.2", request("POST /in HTTP/1.2", "Content-Length: %d")+"%s")
	s.good("line: absolute", request("POST http://elsewhere.example:99/in HTTP/1.1", "Content-Length: %d")+"%s")
	s.good("line: a query", request("POST /in?x=%%41;y&/in HTTP/1.1", "Content-Length: %d")+"%s")
	s.good("line: an escaped path", request("POST /%69n HTTP/1.1", "Content-Length: %d")+"%s")
	s.good("line: bare LF", "POST /in HTTP/1.1\nHost: x\nContent-Length: %d\n\n%s")
	s.good("line: asks for h2c", head("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", "Content-Length: %d")+"%s")
	for name, start := range map[string]string{
		"HTTP/2.0":     "POST /in HTTP/2.0",
		"HTTP/3.0":     "POST /in HTTP/3.0",
		"HTTP/0.9":     "POST /in HTTP/0.9",
		"HTTP/0.0":     "POST /in HTTP/0.0",
		"HTTP/9.9":     "POST /in HTTP/9.9",
		"HTTP/2.0 PRI": "PRI /in HTTP/2.0",
	} {
		s.bad("line: "+name, request(start, "Content-Length: %d")+"%s", plain(505))
	}
	s.add("line: the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", no("not_found").last())
	for name, start := range map[string]string{
		"no version":           "POST /in",
		"no path":              "POST HTTP/1.1",
		"two spaces":           "POST  /in HTTP/1.1",
		"three spaces":         "POST /in   HTTP/1.1",
		"a space at the start": " POST /in HTTP/1.1",
		"a tab":                "POST\t/in HTTP/1.1",
		"one word":             secret,
		"small letters":        "POST /in http/1.1",
		"HTTP/1.10":            "POST /in HTTP/1.10",
		"HTTP/1":               "POST /in HTTP/1",
		"HTTPS/1.1":            "POST /in HTTPS/1.1",
		"HTTP/+1.1":            "POST /in HTTP/+1.1",
		"a space in the path":  "POST /in " + secret + " HTTP/1.1",
		"a bad escape":         "POST /in%%zz HTTP/1.1",
		"no slash":             "POST in HTTP/1.1",
		"a method of signs":    "PO(ST /in HTTP/1.1",
		"a NUL":                "POST /in\x00 HTTP/1.1",
		"a DEL":                "POST /in\x7f HTTP/1.1",
		"a bare CR":            "POST /in\r HTTP/1.1",
		"nothing":              "\r\n",
		"a PROXY header":       "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nPOST /in HTTP/1.1",
	} {
		s.bad("line: "+name, strings.ReplaceAll(request(start, "Content-Length: %d"), "%%", "%")+"%s", plain(400))
	}
	s.add("line: TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", plain(400))
}

// headerCases are headers, and their limit.
func headerCases(s *script) {
	for name, h := range map[string]string{
		"a space before the colon":  "X-A : 1",
		"a tab before the colon":    "X-A\t: 1",
		"a space in a name":         "X A: 1",
		"no colon":                  "X-A",
		"no name":                   ": 1",
		"a NUL in a value":          "X-A: 1\x002",
		"a NUL in a name":           "X-\x00A: 1",
		"a bare CR in a value":      "X-A: 1\r2",
		"a control character":       "X-A: \x07",
		"a DEL":                     "X-A: \x7f",
		"a name of signs":           "X(A): 1",
		"a name beyond ASCII":       "X-Ä: 1",
		"a second Host":             "Host: y",
		"a space where headers end": " ",
	} {
		s.bad("header: "+name, request("POST /in HTTP/1.1", h, "Content-Length: %d")+"%s", plain(400))
	}
	s.bad("header: a line that continues nothing", "POST /in HTTP/1.1\r\n X-A: 1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", plain(400))
	s.good("header: a line that continues", head("X-Tenant: a\r\n \tb", "Content-Length: %d")+"%s").copied(map[string]any{"x-tenant": "a b"})
	s.bad("header: no Host", "POST /in HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s", plain(400))
	s.bad("header: a Host of signs", "POST /in HTTP/1.1\r\nHost: a b<"+secret+">\r\nContent-Length: %d\r\n\r\n%s", plain(400))
	s.good("header: an empty Host", "POST /in HTTP/1.1\r\nHost:\r\nContent-Length: %d\r\n\r\n%s")
	s.good("header: Latin-1", head("X-Any: \xe4", "Content-Length: %d")+"%s")
	s.good("header: copied", head("x-tENANT: one", "X-Other: "+secret, "X-Tenant:two ", "X-Zone: ", "Content-Length: %d")+"%s").
		copied(map[string]any{"x-tenant": "one, two", "x-zone": ""})
	s.good("header: copied Latin-1", head("X-Tenant: \xe4", "Content-Length: %d")+"%s").copied(map[string]any{"x-tenant": "\uFFFD"})
	s.good("header: an underscore is no hyphen", head("X_Tenant: one", "Content_Length: 3", "Content_Encoding: gzip", "Content-Length: %d")+"%s")
	s.good("header: forwarded by an untrusted client", head("X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1", "X-Real-IP: 192.0.2.1", "Content-Length: %d")+"%s")
	s.good("header: almost too many", head("X-Pad: "+strings.Repeat("x", plainHeaders-200), "Content-Length: %d")+"%s")

	long := strings.Repeat("x", 4*plainHeaders)
	s.bad("header: too long", head("X-Pad: "+long, "Content-Length: %d")+"%s", plain(431))
	s.bad("header: too long a line", request("POST /in?"+long+" HTTP/1.1", "Content-Length: %d")+"%s", plain(431))
	s.bad("header: too many", head(strings.Repeat("X-Pad: "+secret+"\r\n", 600)+"X: y", "Content-Length: %d")+"%s", plain(431))
}

// idCases are request ids.
func idCases(s *script) {
	longest := strings.Repeat("a", 128)
	for _, id := range []string{"r-1", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "a_b.c:d/e+f=g@h", longest} {
		x := s.good("id: "+id, head("X-Request-Id: "+id, "Content-Length: %d")+"%s")
		x.want[0] = x.want[0].with("X-Request-Id", id)
		s.bad("id, refused: "+id, head("X-Request-Id: "+id, "Content-Type: text/csv", "Content-Length: %d")+"%s",
			no("unsupported_media_type").with("X-Request-Id", id))
	}
	for _, id := range []string{"", longest + "a", secret + " x", secret + "<b>", "ä" + secret, secret + `"`, secret + "%%s"} {
		id = strings.ReplaceAll(id, "%%", "%")
		m := s.message()
		s.steps(fmt.Sprintf("id: made up instead of %q", id), []step{send(post(batchOf(m), "X-Request-Id: "+id))}, ok(m).with("X-Request-Id", made))
	}
}

// made stands for an id that rtbeat makes.
const made = "(made up)"
