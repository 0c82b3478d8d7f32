//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// answerHeaders are the permitted headers of an answer. http-api.md has no others.
var answerHeaders = []string{
	"Accept", "Accept-Encoding", "Allow", "Cache-Control", "Connection", "Content-Length", "Content-Type", "Date",
	"Retry-After", "Www-Authenticate", "X-Content-Type-Options", "X-Request-Id",
}

// requireAnswer compares an answer with the expected one and with the docs. It returns whether the connection ends.
func requireAnswer(t testing.TB, p promises, want reply, got answer) (closes bool) {
	t.Helper()
	require.NotContains(t, string(got.raw), secret, "the request is echoed")
	require.NotContains(t, headerText(got.header), secret, "the request is echoed in a header")
	for name, value := range want.header {
		if value == made {
			require.Regexp(t, "^[0-9a-f]{32}$", got.header.Get(name))
			continue
		}
		require.Equal(t, []string{value}, got.header.Values(name), "%s: %s", name, got.raw)
	}
	if want.reason == "" && want.health == "" {
		require.Equal(t, want.code, got.code, "%s", got.raw)
		require.Contains(t, p.plain, want.plain(), "the docs lack this answer of Go's server")
		require.Equal(t, "close", got.header.Get("Connection"))
		return true
	}

	due := want.row(t, p)
	require.Equal(t, due.code, got.code, "%s", got.raw)
	requireAnswerHeaders(t, due, want, got)
	requireAnswerBody(t, due, want, got)
	return due.closes || want.closes
}

// plain is the name of a Go server's answer in the docs.
func (r reply) plain() string {
	if r.orNone {
		return strconv.Itoa(r.code) + ", or none"
	}
	return strconv.Itoa(r.code)
}

// row is the docs' row of this answer.
func (r reply) row(t testing.TB, p promises) row {
	t.Helper()
	if r.health == "" {
		require.Contains(t, p.answers, r.reason)
		return p.answers[r.reason]
	}
	i := slices.IndexFunc(p.health, func(h row) bool { return h.reason == r.health+" "+r.reason })
	require.GreaterOrEqual(t, i, 0, "%s %s is not in the docs", r.health, r.reason)
	due := p.health[i]
	due.reason = r.reason
	return due
}

func requireAnswerHeaders(t testing.TB, due row, want reply, got answer) {
	t.Helper()
	for name, values := range got.header {
		require.Contains(t, answerHeaders, name)
		if name != "Www-Authenticate" {
			require.Len(t, values, 1, name)
		}
	}
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
	require.NotEmpty(t, got.header["X-Request-Id"])
	if !want.bodiless {
		require.Equal(t, strconv.Itoa(len(got.raw)), got.header.Get("Content-Length"))
	}

	if due.retryAfter {
		seconds, err := strconv.Atoi(got.header.Get("Retry-After"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, seconds, 1)
		require.LessOrEqual(t, seconds, 5)
	} else {
		require.Empty(t, got.header.Values("Retry-After"))
	}
	switch {
	case got.http2: // HTTP/2 says it in the frame GOAWAY
		require.Empty(t, got.header.Values("Connection"))
	case due.closes || want.closes:
		require.Equal(t, "close", got.header.Get("Connection"))
	default:
		require.NotEqual(t, "close", got.header.Get("Connection"))
	}
	require.Equal(t, due.code == http.StatusUnauthorized, len(got.header["Www-Authenticate"]) > 0)
	require.Equal(t, due.code == http.StatusMethodNotAllowed, got.header.Get("Allow") != "")
	require.Equal(t, due.reason == "unsupported_media_type", got.header.Get("Accept") != "")
	require.Equal(t, due.reason == "unsupported_encoding", got.header.Get("Accept-Encoding") != "")
}

func requireAnswerBody(t testing.TB, due row, want reply, got answer) {
	t.Helper()
	if want.bodiless {
		require.Empty(t, got.raw)
		return
	}
	require.Equal(t, 1, bytes.Count(got.raw, []byte("\n")), "one line: %q", got.raw)
	require.True(t, bytes.HasSuffix(got.raw, []byte("}\n")), "%q", got.raw)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(got.raw, &fields))

	require.Equal(t, due.status, fields["status"], "%s", got.raw)
	known := []string{"status"}
	if due.status == "OK" {
		require.NotContains(t, fields, "reason", "%s", got.raw)
	} else {
		require.Equal(t, due.reason, fields["reason"], "%s", got.raw)
		require.NotEmpty(t, fields["message"], "%s", got.raw)
		known = append(known, "reason", "message")
	}
	known = append(known, requireFields(t, due, want, fields)...)
	require.ElementsMatch(t, known, slices.Collect(maps.Keys(fields)), "%s", got.raw)
}

// requireFields checks the fields of particular answers, and names them.
func requireFields(t testing.TB, due row, want reply, fields map[string]any) (known []string) {
	t.Helper()
	switch {
	case due.setting != "":
		require.Equal(t, due.setting, fields["setting"])
		require.Contains(t, fields, "age_seconds")
		return []string{"setting", "age_seconds"}
	case due.reason == "delivered":
		require.Equal(t, "delivered", fields["ack"])
		require.EqualValues(t, want.count, fields["messages"])
		require.Zero(t, fields["coalesced"])
		require.Zero(t, fields["filtered"])
		return []string{"ack", "messages", "coalesced", "filtered"}
	case due.reason == "ack_timeout":
		require.EqualValues(t, want.count, fields["messages"])
		require.Zero(t, fields["acked"])
		return []string{"messages", "coalesced", "filtered", "acked"}
	case due.reason == "output_rejected":
		require.EqualValues(t, want.count, fields["messages"])
		require.EqualValues(t, want.count, fields["rejected"])
		require.Zero(t, fields["acked"])
		return []string{"messages", "coalesced", "filtered", "acked", "rejected"}
	case due.reason == "processor_failed":
		require.Equal(t, "fingerprint", fields["processor"])
		return []string{"processor"}
	case due.reason == "output_stalled":
		require.Positive(t, fields["age_seconds"])
		return []string{"age_seconds"}
	case slices.Contains([]string{"empty_body", "malformed_json", "too_deep", "key_too_long", "string_too_long", "wrong_shape", "size_mismatch", "too_many_messages"}, due.reason):
		require.Contains(t, fields, "offset")
		known = append(known, "offset")
		if want.at != nil {
			require.EqualValues(t, *want.at, fields["offset"], "%v", fields)
		}
		if _, named := fields["index"]; named {
			known = append(known, "index")
		}
		if want.in != nil {
			require.EqualValues(t, *want.in, fields["index"], "%v", fields)
		}
	}
	return known
}

func headerText(h http.Header) string {
	var text bytes.Buffer
	_ = h.Write(&text)
	return text.String()
}
