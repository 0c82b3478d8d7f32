package auth

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// serve checks every request as a handler does, in a real server.
func serve(t *testing.T, a *Authenticator) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		pending, refusal := a.Check(req)
		if refusal == nil {
			body, err := io.ReadAll(req.Body)
			if err != nil {
				panic(err)
			}
			refusal = pending.Verify(body)
		}
		if refusal == nil {
			return
		}
		for _, challenge := range refusal.Challenge {
			w.Header().Add("WWW-Authenticate", challenge)
		}
		w.Header().Set("Detail", refusal.Detail)
		w.WriteHeader(refusal.Status)
	}))
	t.Cleanup(server.Close)
	return server
}

// exchange sends bytes as they are and returns the answer.
func exchange(t *testing.T, server *httptest.Server, text string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer
}

func TestOverTheWire(t *testing.T) {
	s := timedSignatures()
	s.Bearer.Tokens = Unnamed("token")
	server := serve(t, newAuth(t, s))

	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	_, err := writer.Write([]byte(testBody))
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	zipped := compressed.String()

	post := func(body string, lines ...string) string {
		lines = append(lines, "Host: rtbeat", "Connection: close", fmt.Sprintf("Content-Length: %d", len(body)))
		return "POST /in HTTP/1.1\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" + body
	}
	signed := func(body string) []string {
		return []string{"x-signature:sha256=" + sign("new-key", testTimestamp+"."+body), "X-TIMESTAMP:  " + testTimestamp + "  "}
	}
	chunked := func(body string, lines ...string) string {
		lines = append(lines, "Host: rtbeat", "Connection: close", "Transfer-Encoding: chunked", "Trailer: X-Signature")
		return "POST /in HTTP/1.1\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" +
			fmt.Sprintf("%x\r\n%s\r\n%x\r\n%s\r\n0\r\nX-Signature: x\r\n\r\n", len(body)-3, body[:len(body)-3], 3, body[len(body)-3:])
	}

	for _, c := range []struct {
		name string
		text string
		want string
	}{
		{"a token, with white space around it", post(testBody, "authorization:   Bearer token \t"), ""},
		{"a wrong token", post(testBody, "Authorization: Bearer x"), WrongToken},
		{"two lines in two cases", post(testBody, "Authorization: Bearer token", "authorization: Bearer token"), RepeatedHeader},
		{"a folded line", post(testBody, "Authorization: Bearer\r\n token"), ""},
		{"a signature", post(testBody, signed(testBody)...), ""},
		{"of the compressed body", post(zipped, append(signed(zipped), "Content-Encoding: gzip")...), ""},
		{"of the body before it was compressed", post(zipped, append(signed(testBody), "Content-Encoding: gzip")...), WrongSignature},
		{"of a body in chunks", chunked(testBody, signed(testBody)...), ""},
		{"in the trailer only", chunked(testBody, "X-Timestamp: "+testTimestamp), Missing},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := exchange(t, server, c.text)
			require.Equal(t, c.want, answer.Header.Get("Detail"))
			if c.want == "" {
				require.Equal(t, http.StatusOK, answer.StatusCode)
				return
			}
			require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
			require.Len(t, answer.Header.Values("WWW-Authenticate"), 2)
		})
	}
}
