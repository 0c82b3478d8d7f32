//go:build senders

package senders

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// syslogNG is a syslog-ng that reads a file.
type syslogNG struct {
	t       testing.TB
	program *harness.Program
	log     *os.File
	sent    []string
}

func startSyslogNG(t testing.TB, addr string, replace ...string) *syslogNG {
	t.Helper()
	dir := t.TempDir()
	watched := filepath.Join(dir, "app.log")
	text := recipe(t, "syslog-ng", append(replace, here, "http://"+addr+"/in", "/var/log/app.log", watched,
		`dir("/var/lib/syslog-ng")`, fmt.Sprintf("dir(%q)", dir), "time-reopen(5)", "time-reopen(1)")...)
	path := harness.FindProgram(t, "syslog-ng")
	file, err := os.OpenFile(watched, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	s := &syslogNG{t: t, log: file}
	s.program = harness.StartProgram(t, dir, path, "--foreground", "--stderr", "--no-caps", "-f", harness.WriteRecipe(t, dir, "syslog-ng.conf", text),
		"--persist-file", filepath.Join(dir, "p"), "--control", harness.SocketPath(t, "control"), "--pidfile", filepath.Join(dir, "pid"))
	return s
}

// write appends lines to the file, with characters that JSON must escape, and bytes that are not text.
func (s *syslogNG) write(lines int) {
	s.t.Helper()
	for range lines {
		line := fmt.Sprintf(`line %d "quoted" \ é `, len(s.sent))
		_, err := fmt.Fprintf(s.log, "%s\xff\n", line)
		require.NoError(s.t, err)
		s.sent = append(s.sent, line+`\xff`) // as syslog-ng writes it
	}
}

// pass appends lines that syslog-ng passes on unchanged.
func (s *syslogNG) pass(lines ...string) {
	s.t.Helper()
	for _, line := range lines {
		_, err := fmt.Fprintln(s.log, line)
		require.NoError(s.t, err)
	}
	s.sent = append(s.sent, lines...)
}

// requireDelivered requires every line at the sink, once, with its own id.
func (s *syslogNG) requireDelivered(sink *lumbersink.Sink) {
	s.t.Helper()
	var got []string
	ids := make(map[string]bool)
	for _, e := range eventsAt(s.t, sink) {
		var message struct{ UUID, Message string }
		require.NoError(s.t, json.Unmarshal(e.Message, &message))
		require.NotEmpty(s.t, message.UUID)
		got = append(got, message.Message)
		ids[e.Metadata.ID] = true
	}
	require.ElementsMatch(s.t, s.sent, got)
	require.NotContains(s.t, ids, "")
	require.Len(s.t, ids, len(s.sent), "ids of documents")
}

// An outage lasts longer than syslog-ng's own retries() would: first 504, then 503 when the output counts as stalled, then no
// answer while rtbeat is stopped.
func TestSyslogNG(t *testing.T) {
	t.Parallel()
	const dropsAfter = 3 // the default of retries()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := startWith(t, sink, "", promptTimeout, "rtbeat.stall_after=3")
	s := startSyslogNG(t, b.Addr)
	s.write(1)
	harness.Arrived(t, sink, 1)

	sink.SetPolicy(lumbersink.Never())
	s.write(50)
	harness.Await(t, 2*harness.ArriveWithin, "more 504s than syslog-ng's own retries", func() bool {
		return b.Answers(http.StatusGatewayTimeout, "ack_timeout") > dropsAfter
	})
	s.write(200)
	harness.Await(t, 2*harness.ArriveWithin, "a 503", func() bool {
		return b.Answers(http.StatusServiceUnavailable, "output_stalled") > 0
	})
	harness.RecoverSink(sink)
	s.arrives(sink)

	b.Stop()
	s.write(50)
	_, port, err := net.SplitHostPort(b.Addr)
	require.NoError(t, err)
	harness.Await(t, harness.ArriveWithin, "an attempt without rtbeat", func() bool {
		return strings.Contains(s.program.Said(), "curl: error sending HTTP request")
	})
	startWith(t, sink, "", "rtbeat.port="+port)
	s.arrives(sink)
	s.requireDelivered(sink)
}

// arrives waits until the sink has acknowledged an event for each line.
func (s *syslogNG) arrives(sink *lumbersink.Sink) {
	s.t.Helper()
	harness.Await(s.t, 2*harness.ArriveWithin, "every line", func() bool { return sink.Acked() >= len(s.sent) })
}

// The recipe passes lines on that should be JSON. One that is not does not hold the others up.
func TestSyslogNGPassesLines(t *testing.T) {
	t.Parallel()
	unchanged := []string{`body("$(format-json uuid=$UNIQID time=$ISODATE host=$HOST message=$MESSAGE)")`, strings.TrimSpace(recipe(t, "syslog-ng-json"))}
	good := func(id string) string {
		return fmt.Sprintf(`{"uuid":%q,"n":9007199254740993,"text":"é \"quoted\""}`, id)
	}
	bad := []string{`{"uuid":"b1","text":"cut`, `no JSON at all`, "{\"uuid\":\"b2\",\"text\":\"latin \xe9\"}", `{"uuid":"b3","n":NaN}`}

	t.Run("by default it is stuck", func(t *testing.T) {
		t.Parallel()
		sink := harness.StartSink(t, lumbersink.Immediate())
		b := startWith(t, sink, "")
		s := startSyslogNG(t, b.Addr, unchanged...)
		s.pass(bad[0])
		harness.Await(t, 2*harness.ArriveWithin, "the same batch again", func() bool { return b.Answers(http.StatusBadRequest, "malformed_json") > 1 })
		s.pass(good("g1"))
		refused := b.Answers(http.StatusBadRequest, "malformed_json")
		harness.Await(t, 2*harness.ArriveWithin, "once more", func() bool { return b.Answers(http.StatusBadRequest, "malformed_json") > refused })
		require.Zero(t, sink.Received())
	})
	t.Run("with the recipe it is not", func(t *testing.T) {
		t.Parallel()
		sink := harness.StartSink(t, lumbersink.Never())
		b := startWith(t, sink, recipe(t, "syslog-ng-json-rtbeat"), promptTimeout)
		s := startSyslogNG(t, b.Addr, unchanged...)
		s.pass(good("g1"), bad[0], bad[1], good("g2"), bad[2], bad[3], good("g3"))
		harness.Await(t, harness.ArriveWithin, "a repeated 504", func() bool { return b.Answers(http.StatusGatewayTimeout, "ack_timeout") > 1 })
		harness.RecoverSink(sink)
		s.arrives(sink)
		s.pass(good("g4"))
		s.arrives(sink)
		require.Zero(t, b.Answers(http.StatusBadRequest, "malformed_json"))

		var messages, originals []string
		for _, e := range sink.Events() {
			var decoded struct {
				Message json.RawMessage `json:"rxtxMsg"`
				Tags    []string        `json:"tags"`
				Error   struct{ Type, Message string }
				Event   struct{ Original string }
			}
			require.NoError(t, json.Unmarshal(e.Raw, &decoded))
			if decoded.Event.Original == "" {
				messages = append(messages, canonical(t, decoded.Message))
				continue
			}
			originals = append(originals, decoded.Event.Original)
			require.Contains(t, decoded.Tags, "_jsonparsefailure")
			require.NotEmpty(t, decoded.Error.Type)
			require.NotEmpty(t, decoded.Error.Message)
		}
		var want []string
		for _, id := range []string{"g1", "g2", "g3", "g4"} {
			want = append(want, canonical(t, []byte(good(id))))
		}
		require.ElementsMatch(t, want, messages)
		require.ElementsMatch(t, []string{bad[0], bad[1], strings.ToValidUTF8(bad[2], "\uFFFD"), bad[3]}, originals)
	})
}
