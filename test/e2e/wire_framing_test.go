//go:build e2e

package e2e

import (
	"fmt"
	"strings"
)

// lengthCases are values of Content-Length.
func lengthCases(s *script) {
	s.bad("length: none", head()+"%s\r\n", no("empty_body"), plain(400))
	s.add("length: 0", head("Content-Length: 0"), no("empty_body"))
	s.add("length: 00", head("Content-Length: 00"), no("empty_body"))
	s.good("length: white space", head("Content-Length: \t %d \t")+"%s")
	s.good("length: zeros in front", head("Content-Length: 000%d")+"%s")
	s.good("length: twice", head("Content-Length: %d", "Content-Length: %d")+"%s")
	for name, value := range map[string]string{
		"a plus": "+%d", "a minus": "-%d", "minus one": "-1", "hexadecimal": "0x%d", "an exponent": "1e2", "a fraction": "%d.0",
		"a list": "%d, %d", "two words": "%d 1", "empty": "", "text": "many", "beyond 64 bits": "99999999999999999999",
		"beyond 63 bits": "9223372036854775808", "digits beyond ASCII": "１２", "a comma": "%d,",
	} {
		s.bad("length: "+name, head("Content-Length: "+value)+"%s", plain(400))
	}
	s.bad("length: two that differ", head("Content-Length: %d", "Content-Length: 5")+"%s", plain(400))
	s.bad("length: two that differ in spelling", head("Content-Length: %d", "Content-Length: 0%d")+"%s", plain(400))

	m := s.message()
	body := batchOf(m)
	s.add("length: too small", head(fmt.Sprintf("Content-Length: %d", len(body)-4))+body+"\r\n", no("malformed_json").offset(len(body)-4), plain(400))
	s.steps("length: too large", []step{send(head(fmt.Sprintf("Content-Length: %d", len(body)+1)) + body), halfClose}, no("body_truncated"))
	// The beginning of the next request ends this body.
	s.steps("length: too large, and another request", []step{send(head(fmt.Sprintf("Content-Length: %d", len(body)+4)) + body + post("[]"))},
		no("malformed_json").offset(len(body)), plain(400))
}

// chunkCases are chunks.
func chunkCases(s *script) {
	const start = "POST /in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	m := s.message()
	s.add("chunks: of one byte", chunked(strings.Split(batchOf(m), "")...), ok(m))
	m = s.message()
	body := batchOf(m)
	s.add("chunks: of odd sizes", chunked(body[:1], body[1:8], body[8:21], body[21:]), ok(m))
	s.add("chunks: none", start+"0\r\n\r\n", no("empty_body"))
	s.add("chunks: of white space", chunked(" ", "\r\n"), no("empty_body"))

	// one is a request of one chunk, with its size written in some way, and following bytes.
	one := func(body, size, end string) string {
		return start + fmt.Sprintf(size, len(body)) + "\r\n" + body + "\r\n" + end
	}
	for name, c := range map[string]struct{ size, end string }{
		"capitals":               {"%X", "0\r\n\r\n"},
		"zeros in front":         {"000%x", "000\r\n\r\n"},
		"an extension":           {"%x;name", "0\r\n\r\n"},
		"a value":                {"%x;name=value;n2=v2", "0;end\r\n\r\n"},
		"a quoted value":         {`%x; name="a b"`, "0\r\n\r\n"},
		"a space at the end":     {"%x ", "0\r\n\r\n"},
		"a trailer":              {"%x", "0\r\nX-Check: " + secret + "\r\n\r\n"},
		"a trailer with a space": {"%x", "0\r\nX " + secret + ": 1\r\n\r\n"},
		"trailers of all kinds":  {"%x", "0\r\nContent-Encoding: br\r\nAuthorization: x\r\nX-Tenant: " + secret + "\r\n\r\n"},
	} {
		m := s.message()
		s.add("chunks: "+name, one(batchOf(m), c.size, c.end), ok(m))
	}
	m = s.message()
	s.add("chunks: in capitals, of gzip", strings.Replace(chunkedWith("Content-Encoding: gzip", string(gzipped([]byte(batchOf(m))))), "chunked", "Chunked", 1), ok(m))

	for name, text := range map[string]string{
		"a size that is none":         start + "z\r\n" + secret,
		"no size":                     start + "\r\n" + secret,
		"a plus":                      start + "+5\r\n" + secret,
		"a minus":                     start + "-5\r\n" + secret,
		"hexadecimal with 0x":         start + "0x5\r\n" + secret,
		"an underscore":               start + "1_0\r\n" + secret,
		"a space in front":            start + " 5\r\n" + secret,
		"a size of 17 digits":         start + "10000000000000005\r\n" + secret,
		"nothing behind the data":     start + "2\r\n[]0\r\n\r\n",
		"LF behind the data":          start + "2\r\n[]\n0\r\n\r\n",
		"too much data":               start + "2\r\n[{}]\r\n0\r\n\r\n",
		"a bare CR in the size":       start + "2\r[]\r\n0\r\n\r\n",
		"a long extension":            start + "2;" + strings.Repeat(secret, 1000) + "\r\n[]\r\n0\r\n\r\n",
		"a trailer that is none":      one(body, "%x", "0\r\n"+secret+"\r\n\r\n"),
		"too long a trailer":          one(body, "%x", "0\r\nX-A: "+strings.Repeat(secret, 1000)+"\r\n\r\n"),
		"much overhead for one byte":  start + strings.Repeat("1;"+strings.Repeat("x", 100)+"\r\n \r\n", 1000),
		"trailers that do not end it": one(body, "%x", "0\r\n"+strings.Repeat("X-A: b\r\n", 2000)+"\r\n"),
	} {
		s.add("chunks: "+name, text, no("body_truncated"))
	}
	s.steps("chunks: a huge size", []step{send(start + "7fffffffffffffff\r\n" + body), halfClose}, no("body_truncated"))
	s.steps("chunks: no last chunk", []step{send(one(body, "%x", "")), halfClose}, no("body_truncated"))
	s.steps("chunks: no end of the trailers", []step{send(one(body, "%x", "0\r\n")), halfClose}, no("body_truncated"))
}

// chunkedWith is a request in one chunk with a header.
func chunkedWith(header, body string) string {
	return head("Transfer-Encoding: chunked", header) + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
}

// smuggleCases are requests that two servers might read differently.
func smuggleCases(s *script) {
	m := s.message()
	body := batchOf(m)
	inChunks := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	s.add("smuggling: a length and chunks", head("Content-Length: 5", "Transfer-Encoding: chunked")+inChunks, ok(m))
	m2 := s.message()
	inChunks2 := strings.ReplaceAll(inChunks, m, m2)
	s.add("smuggling: chunks and a length", head("Transfer-Encoding: chunked", fmt.Sprintf("Content-Length: %d", len(inChunks2)+300))+
		fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(batchOf(m2)), batchOf(m2)), ok(m2))
	s.add("smuggling: a bad length and chunks", head("Content-Length: x", "Transfer-Encoding: chunked")+inChunks, plain(400))
	for name, headers := range map[string][]string{
		"chunked twice":                {"Transfer-Encoding: chunked", "Transfer-Encoding: chunked"},
		"chunked and identity":         {"Transfer-Encoding: chunked", "Transfer-Encoding: identity"},
		"identity":                     {"Transfer-Encoding: identity"},
		"a list":                       {"Transfer-Encoding: identity, chunked"},
		"a list the other way round":   {"Transfer-Encoding: chunked, identity"},
		"gzip and chunked":             {"Transfer-Encoding: gzip, chunked"},
		"xchunked":                     {"Transfer-Encoding: xchunked"},
		"chunked with a parameter":     {"Transfer-Encoding: chunked;q=1"},
		"quotes":                       {`Transfer-Encoding: "chunked"`},
		"empty":                        {"Transfer-Encoding: "},
		"with a length":                {"Content-Length: 5", "Transfer-Encoding: cow"},
		"a letter that looks like one": {"Transfer-Encoding: chunКed"},
	} {
		s.add("smuggling: "+name, head(headers...)+inChunks, plain(501))
	}
	for name, headers := range map[string][]string{
		"a vertical tab":                   {"Transfer-Encoding: \x0bchunked"},
		"a space before the colon":         {"Transfer-Encoding : chunked"},
		"a NUL":                            {"Transfer-Encoding: chunked\x00"},
		"a bare CR":                        {"X: y\rTransfer-Encoding: chunked"},
		"a name behind a bare CR":          {"X: y\r\rTransfer-Encoding: chunked"},
		"a space before the length":        {"Content-Length : 5"},
		"two lengths, one in another case": {"Content-Length: 5", "content-length: 6"},
	} {
		s.add("smuggling: "+name, head(headers...)+inChunks, plain(400))
	}
	for name, headers := range map[string][]string{
		"a line that continues": {"Transfer-Encoding:\r\n chunked"},
		"white space":           {"Transfer-Encoding:   chunked \t"},
	} {
		m := s.message()
		b := batchOf(m)
		s.add("smuggling: "+name, head(headers...)+fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(b), b), ok(m))
	}
	// A name with an underscore is another header: the chunks are read as the next request, which is invalid.
	s.add("smuggling: an underscore", head("Transfer_Encoding: chunked")+inChunks, no("empty_body"), plain(400))

	hidden := post(batchOf(s.message()))
	s.add("smuggling: a request as the body", post(hidden), no("malformed_json"))
	quoted := `{"k":"` + strings.NewReplacer("\r\n", `\r\n`, `"`, `\"`).Replace(hidden) + `"}`
	s.add("smuggling: a request in a message", post("["+quoted+"]"), ok(quoted))
	s.add("smuggling: a request behind bad JSON", post("{]"+hidden), no("malformed_json"))
	s.add("smuggling: a request in an unread body", strings.Replace(post(hidden), "/in", "/out", 1), no("not_found"))
	s.add("smuggling: a request in an unread body of the wrong type", post(hidden, "Content-Type: text/plain"), no("unsupported_media_type"))
	s.add("smuggling: a request behind too much", post("["+strings.Repeat(" ", plainLimit+1))+hidden, no("body_too_large"))
	s.add("smuggling: a request in a chunk's extension", head("Transfer-Encoding: chunked")+"2;\n"+hidden+"\r\n[]\r\n0\r\n\r\n", no("body_truncated"))
	s.add("smuggling: a request in the trailers", head("Transfer-Encoding: chunked")+"2\r\n[]\r\n0\r\n"+hidden, no("body_truncated"))
}
