//go:build e2e

package e2e

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

const (
	typeJSON   = "Content-Type: application/json"
	typeNDJSON = "Content-Type: application/x-ndjson"
)

// bodyForm is a way to write messages as a body.
type bodyForm struct {
	name, contentType string
	write             func(messages []string) string
}

// lines writes NDJSON with this separator and this end.
func lines(between, end string) func([]string) string {
	return func(messages []string) string { return strings.Join(messages, between) + end }
}

var bodyForms = []bodyForm{
	{"rxtx", typeJSON, func(m []string) string { return batchOf(m...) }},
	{"rxtx without a type", "", func(m []string) string { return batchOf(m...) }},
	{"array", typeJSON, func(m []string) string { return "[" + strings.Join(m, ",") + "]" }},
	{"array with white space", "", func(m []string) string { return " \r\n[\t" + strings.Join(m, " ,\n") + "\n]\r\n " }},
	{"messages behind each other", typeJSON, lines("", "")},
	{"messages on lines", typeJSON, lines("\r\n", "\n")},
	{"arrays behind each other", "", func(m []string) string { return "[" + m[0] + "][]\n[" + strings.Join(m[1:], ",") + "]" }},
	{"a byte order mark", "", func(m []string) string { return "\uFEFF" + batchOf(m...) }},
	{"ndjson with arrays", typeNDJSON, func(m []string) string {
		few := min(2, len(m))
		return "\uFEFF[" + strings.Join(m[:few], ",") + "] " + strings.Join(m[few:], "") + "\n[]"
	}},
	{"x-ndjson", typeNDJSON, lines("\n", "\n")},
	{"ndjson", "Content-Type: application/ndjson", lines("\n", "\n")},
	{"jsonl", "Content-Type: application/jsonl", lines("\n", "\n")},
	{"ndjson with CRLF", typeNDJSON, lines("\r\n", "\r\n")},
	{"ndjson with blank lines", typeNDJSON, lines("\n\n \t\r\n", "\n\n\n")},
	{"ndjson without the last newline", typeNDJSON, lines("\n", "")},
}

// bodyCoding is a way to compress a body, with its header.
type bodyCoding struct {
	name, header string
	encode       func(body []byte) []byte
}

var bodyCodings = []bodyCoding{
	{"plain", "", bytes.Clone},
	{"identity", "Content-Encoding: identity", bytes.Clone},
	{"gzip", "Content-Encoding: gzip", gzipped},
	{"gzip of several members", "Content-Encoding: gzip", func(b []byte) []byte {
		third := len(b) / 3
		return bytes.Join([][]byte{gzipped(b[:third]), gzipped(nil), gzipped(b[third:])}, nil)
	}},
	{"x-gzip", "Content-Encoding: x-gzip", gzipped},
	{"GZIP", "CONTENT-ENCODING:GZIP", gzipped},
	{"deflate with a header", "Content-Encoding: deflate", zlibbed},
	{"deflate without a header", "Content-Encoding: Deflate", deflated},
	{"zstd", "Content-Encoding: zstd", func(b []byte) []byte { return zstandard(b) }},
	{"zstd of several frames", "Content-Encoding: ZStd", func(b []byte) []byte {
		half := len(b) / 2
		return append(zstandard(b[:half]), zstandard(b[half:])...)
	}},
}

// formCases are each form of body in each coding.
func formCases(s *script) {
	for _, form := range bodyForms {
		for _, coding := range bodyCodings {
			messages := s.messages(3)
			var headers []string
			for _, h := range []string{form.contentType, coding.header} {
				if h != "" {
					headers = append(headers, h)
				}
			}
			body := string(coding.encode([]byte(form.write(messages))))
			s.add("form: "+form.name+", "+coding.name, post(body, headers...), ok(messages...))
		}
	}
}

// compressed is the output of a writer for a body. A buffer does not fail.
func compressed(body []byte, open func(io.Writer) io.WriteCloser) []byte {
	var buf bytes.Buffer
	w := open(&buf)
	if _, err := w.Write(body); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

func gzipped(b []byte) []byte {
	return compressed(b, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
}

func zlibbed(b []byte) []byte {
	return compressed(b, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
}

func deflated(b []byte) []byte {
	return compressed(b, func(w io.Writer) io.WriteCloser {
		f, err := flate.NewWriter(w, flate.BestCompression)
		if err != nil {
			panic(err)
		}
		return f
	})
}

func zstandard(b []byte, options ...zstd.EOption) []byte {
	return compressed(b, func(w io.Writer) io.WriteCloser {
		e, err := zstd.NewWriter(w, append(options, zstd.WithEncoderConcurrency(1))...)
		if err != nil {
			panic(err)
		}
		return e
	})
}

// wideWindow is a frame of zstd with a window of 16 MiB.
func wideWindow(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	e, err := zstd.NewWriter(&buf, zstd.WithWindowSize(16<<20), zstd.WithEncoderConcurrency(1))
	require.NoError(t, err)
	_, err = e.Write(b)
	require.NoError(t, err)
	require.NoError(t, e.Flush()) // else the frame is of one segment, and its window as small as the body
	require.NoError(t, e.Close())
	return buf.Bytes()
}
