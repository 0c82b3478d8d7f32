package cmd

import (
	"bytes"
	"crypto/rand"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

func zipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.String()
}

func zstandard(t *testing.T, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	defer w.Close()
	return string(w.EncodeAll([]byte(text), nil))
}

func TestFormats(t *testing.T) {
	for name, tt := range map[string]struct{ file, want string }{
		"nothing":                   {"", ""},
		"lines":                     {"{}\r\n{\"a\": 1.0}\n\n 2 ", "{}\n{\"a\":1.0}\n2\n"},
		"text is kept as it is":     {`{"\u0061" : "\/\ud800" , "n": 1e400}`, `{"\u0061":"\/\ud800","n":1e400}` + "\n"},
		"an array":                  {" \n[{},\n {\"a\":\n [1, 2]}, 3]\n", "{}\n{\"a\":[1,2]}\n3\n"},
		"arrays":                    {"[1][]\n[2,[3]] 4", "1\n2\n[3]\n4\n"},
		"keys twice, half a rune":   {"[{\"a\":1,\"a\":\"\xff\"}]", "{\"a\":1,\"a\":\"\xff\"}\n"},
		"gzip":                      {zipped(t, "1\n2\n"), "1\n2\n"},
		"gzip in parts":             {zipped(t, "1\n2") + zipped(t, "3\n"), "1\n23\n"},
		"zstd":                      {zstandard(t, "[1,2]"), "1\n2\n"},
		"zstd in parts":             {zstandard(t, "1\n") + zstandard(t, "2\n"), "1\n2\n"},
		"a line of half a megabyte": {`"` + strings.Repeat("x", 1<<19) + "\"\n1\n", `"` + strings.Repeat("x", 1<<19) + "\"\n1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			require.NoError(t, r.send(t.Context(), r.write(t, tt.file)))
			require.Equal(t, tt.want, r.bodies())
		})
	}
}

// What comes before the problem is delivered.
func TestFilesThatEndEarly(t *testing.T) {
	for name, tt := range map[string]struct{ file, want, err string }{
		"an array":  {"[1,2,", "1\n2\n", "message 3: "},
		"a comma":   {"[1 2]", "1\n", "message 2: "},
		"a literal": {"[1,2]x", "1\n2\n", "message 3: "},
		"a line":    {"1\n2\n{]\n4\n", "1\n2\n", "message 3: "},
		"a bracket": {"[1,2,]", "1\n2\n", "message 3: "},
		"two ends":  {"[1,2]]", "1\n2\n", "message 3: "},
		"no end":    {"[1,2", "1\n2\n", "message 3: "},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			require.ErrorContains(t, r.send(t.Context(), r.write(t, tt.file)), tt.err)
			require.Equal(t, tt.want, r.bodies())
		})
	}
}

// A line that is cut off is no message.
func TestPackedFilesThatAreCutOff(t *testing.T) {
	var text string
	for range 2000 {
		text += `"` + rand.Text() + "\"\n"
	}
	for name, packed := range map[string]string{"gzip": zipped(t, text), "zstd": zstandard(t, text)} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.batch = 100
			require.ErrorContains(t, r.send(t.Context(), r.write(t, packed[:len(packed)*2/3])), "EOF")
			for line := range strings.Lines(r.bodies()) {
				require.Len(t, line, len(rand.Text())+3)
			}
		})
	}
	r := newRig(t)
	r.batch = 100
	gz := zipped(t, text)
	require.ErrorContains(t, r.send(t.Context(), r.write(t, gz[:len(gz)-1])), "unexpected EOF", "the checksum is missing")
}

// endless is a message without an end.
type endless struct {
	begin string
	rest  byte
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.begin)
	e.begin = ""
	for i := n; i < len(p); i++ {
		p[i] = e.rest
	}
	return len(p), nil
}

func TestAMessageIsBounded(t *testing.T) {
	for _, begin := range []string{`"`, `["`} {
		next, err := messages(&endless{begin, 'x'})
		require.NoError(t, err)
		_, err = next()
		require.ErrorContains(t, err, "too long")
	}
	next, err := messages(&endless{"[1,2", ' '})
	require.NoError(t, err)
	_, err = next()
	require.NoError(t, err)
	_, err = next()
	require.NoError(t, err)
	_, err = next()
	require.ErrorContains(t, err, "too long", "white space is no end of the file")
}
