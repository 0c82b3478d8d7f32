//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// codingCases are refused content codings and content types, and odd ones that are accepted.
func codingCases(t testing.TB, s *script) {
	t.Helper()
	unsupported := no("unsupported_encoding").with("Accept-Encoding", "gzip, deflate, zstd, identity")
	for _, value := range []string{
		"br", "compress", "gzip, gzip", "gzip, deflate", "zstd,identity,gzip", "gzip;q=1", "gzip deflate", "*", "x-deflate", "utf-8", "gzıp",
	} {
		s.bad("coding: "+value, head("Content-Encoding: "+value, "Content-Length: %d")+"%s", unsupported)
	}
	s.bad("coding: two headers", head("Content-Encoding: gzip", "Content-Encoding: zstd", "Content-Length: %d")+"%s", unsupported)
	s.bad("coding: two headers of one", head("Content-Encoding: gzip", "Content-Encoding: gzip", "Content-Length: %d")+"%s", unsupported)
	for _, value := range []string{"", "identity, identity", ", identity ,"} {
		s.good("coding: nothing but identity: "+value, head("Content-Encoding: "+value, "Content-Length: %d")+"%s")
	}
	m := s.message()
	s.add("coding: gzip and identity", post(string(gzipped([]byte(batchOf(m)))), "Content-Encoding: identity, gzip"), ok(m))

	body := []byte(batchOf(s.messages(3)...))
	dictionary := zstandard(body, zstd.WithEncoderDictRaw(7, []byte(strings.Repeat(secret, 20))))
	for name, c := range map[string]struct {
		coding string
		body   []byte
		want   reply
	}{
		"gzip that is none":            {"gzip", body, no("corrupt_encoding")},
		"gzip, one byte":               {"gzip", []byte{0x1f}, no("corrupt_encoding")},
		"gzip, cut in its header":      {"gzip", gzipped(body)[:7], no("corrupt_encoding")},
		"gzip, cut in its middle":      {"gzip", gzipped(body)[:40], no("corrupt_encoding")},
		"gzip, cut in its checksum":    {"gzip", gzipped(body)[:len(gzipped(body))-3], no("corrupt_encoding")},
		"gzip with a wrong checksum":   {"gzip", flipped(gzipped(body), -8), no("corrupt_encoding")},
		"gzip with a wrong length":     {"gzip", flipped(gzipped(body), -2), no("corrupt_encoding")},
		"gzip and text":                {"gzip", append(gzipped(body), secret...), no("corrupt_encoding")},
		"gzip and zeros":               {"gzip", append(gzipped(body), 0, 0, 0), no("corrupt_encoding")},
		"gzip and half a member":       {"gzip", append(gzipped(body), gzipped(nil)[:9]...), no("corrupt_encoding")},
		"zstd sent as gzip":            {"gzip", zstandard(body), no("corrupt_encoding")},
		"deflate, cut":                 {"deflate", zlibbed(body)[:30], no("corrupt_encoding")},
		"deflate with a wrong check":   {"deflate", flipped(zlibbed(body), -1), no("corrupt_encoding")},
		"deflate and text":             {"deflate", append(deflated(body), secret...), no("corrupt_encoding")},
		"deflate that is none":         {"deflate", body, no("corrupt_encoding")},
		"zstd, cut":                    {"zstd", zstandard(body)[:30], no("corrupt_encoding")},
		"zstd with a wrong checksum":   {"zstd", flipped(zstandard(body), -1), no("corrupt_encoding")},
		"zstd and text":                {"zstd", append(zstandard(body), secret...), no("corrupt_encoding")},
		"zstd that is none":            {"zstd", body, no("corrupt_encoding")},
		"zstd with a dictionary":       {"zstd", dictionary, no("unsupported_encoding")},
		"zstd with a window of 16 MiB": {"zstd", wideWindow(t, body), no("unsupported_encoding")},
		"gzip of nothing":              {"gzip", gzipped(nil), no("empty_body")},
		"gzip of white space":          {"gzip", gzipped([]byte(" \r\n\t")), no("empty_body")},
		"gzip without a body":          {"gzip", nil, no("empty_body")},
		"zstd of nothing":              {"zstd", zstandard(nil), no("empty_body")},
		// Offsets count in the decompressed body.
		"gzip of bad JSON": {"gzip", gzipped([]byte(`[{"a":"` + strings.Repeat("x", 1000) + `"},{"a":` + secret + `}]`)), no("malformed_json").offset(1015).index(1)},
		// A thousandth of it would be within the limit.
		"gzip bomb":    {"gzip", gzipped(bomb), no("body_too_large")},
		"deflate bomb": {"deflate", deflated(bomb), no("body_too_large")},
		"zstd bomb":    {"zstd", zstandard(bomb), no("body_too_large")},
		"gzip bomb of members": {
			"gzip", []byte(strings.Repeat(string(gzipped(bomb[:plainLimit/4])), 5)), no("body_too_large"),
		},
	} {
		s.add("coding: "+name, post(string(c.body), "Content-Encoding: "+c.coding), c.want)
	}
}

// bomb is a body larger than the limit that compresses to a thousandth of itself.
var bomb = []byte(`{"messages":[{"pad":"` + strings.Repeat("x", 4*plainLimit) + `"}]}`)

// flipped is a copy with one bit changed in the byte at the index, from the end if negative.
func flipped(b []byte, at int) []byte {
	b = append([]byte(nil), b...)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	return b
}

// typeCases are content types.
func typeCases(s *script) {
	for _, value := range []string{
		"application/json",
		"APPLICATION/Json",
		"application/json;charset=utf-8",
		"application/json; charset=UTF-8",
		`application/json ; charset="utf-8"`,
		"application/json; Charset=utf8",
		"application/json;\tcharset=Utf-8;",
		"application/json; version=1",
		"application/json; profile=x; charset=utf-8",
		"application/json; profile=urn:example:v:1.0; charset=utf-8",
		"application/json; charset=us-ascii", "application/json; charset=", "application/json; charset", "application/json; =utf-8",
		"text/json", "application/vnd.api+json", "application/cloudevents-batch+json", "",
	} {
		s.good("type: "+value, head("Content-Type: "+value, "Content-Length: %d")+"%s")
	}
	m := s.message()
	for _, kind := range []string{"NDJSON; charset=utf-8", "x-ndjson", "jsonl", "jsonlines", "x-jsonlines", "x-ldjson", "stream+json"} {
		m := s.message()
		s.add("type: lines as "+kind, post(m, "Content-Type: Application/"+kind), ok(m))
	}

	unsupported := no("unsupported_media_type").with("Accept", "application/json, application/x-ndjson")
	for _, value := range []string{
		"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/*", "*/*",
		"application/jsonx", "+json", "application/+json/x", "application/octet-stream",
		"application/json; charset=iso-8859-1", "application/json; charset=utf-16", `application/json; charset="utf-8x"`,
		"application/x-ndjson; charset=latin1", "application/json; profile=urn:x:1; charset=latin1",
		"application/json; charset=utf-8; charset=latin1",
		"application/json, application/json", "application/json text/json", ";", "json",
	} {
		s.bad("type: "+value, head("Content-Type: "+value, "Content-Length: %d")+"%s", unsupported)
	}
	s.bad("type: two headers", head(typeJSON, typeNDJSON, "Content-Length: %d")+"%s", unsupported)
	s.bad("type: two headers of one", head(typeJSON, typeJSON, "Content-Length: %d")+"%s", unsupported)
	for name, contentType := range map[string]string{"JSON sent as NDJSON": typeNDJSON, "NDJSON sent as JSON": typeJSON} {
		list := s.messages(3)
		s.add("type: "+name, post("["+list[0]+"]\n"+list[1]+"\n"+list[2], contentType), ok(list...))
	}
	s.add("type: gzip without a coding", post(string(gzipped([]byte(m)))), no("malformed_json").offset(0))
}
