package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// request is what the server of a test has seen.
type request struct{ key, body string }

// rig is a server that answers as rtbeat does, and a sender for it.
type rig struct {
	*sender
	home string

	mu       sync.Mutex
	requests []request
	answer   func(n int, r request, w http.ResponseWriter) bool // n counts from 1; false is a 200
}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t, goleak.IgnoreCurrent()) })
	r := &rig{home: t.TempDir(), answer: func(int, request, http.ResponseWriter) bool { return false }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		got := request{req.Header.Get("Idempotency-Key"), string(body)}
		r.mu.Lock()
		r.requests = append(r.requests, got)
		n := len(r.requests)
		r.mu.Unlock()
		if !r.answer(n, got, w) {
			fmt.Fprintf(w, `{"status":"OK","ack":"delivered","messages":%d}`, len(strings.Fields(got.body)))
		}
	}))
	r.sender = &sender{intakeClient: intakeClient{url: server.URL}, header: http.Header{}, batch: 2, parallel: 1}
	require.NoError(t, r.connect("/in"))
	t.Cleanup(func() {
		server.Close()
		r.http.CloseIdleConnections()
	})
	return r
}

// again is another run.
func (r *rig) again() {
	r.requests = nil
	r.sender = &sender{intakeClient: r.intakeClient, header: r.header, batch: r.batch, parallel: r.parallel, isResumed: true}
}

func (r *rig) write(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(r.home, "file")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

func (r *rig) bodies() (all string) {
	for _, request := range r.requests {
		all += request.body
	}
	return all
}

func (r *rig) mark(t *testing.T) (m mark) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.home, "file.rtbeat-sent"))
	require.NoError(t, err)
	_, err = fmt.Sscan(string(text), &m.run, &m.messages)
	require.NoError(t, err)
	return m
}

func fail(w http.ResponseWriter, code int, text string) bool {
	w.WriteHeader(code)
	fmt.Fprint(w, text)
	return true
}

func TestBatchesAreCutByMessagesAndBytes(t *testing.T) {
	r := newRig(t)
	big := `"` + strings.Repeat("x", maxBatch) + `"`
	require.NoError(t, r.send(t.Context(), r.write(t, "{}\n\n1\r\n"+big+"\n2\n3\n\n\n")))
	var bodies []string
	for _, request := range r.requests {
		bodies = append(bodies, request.body)
	}
	require.Equal(t, []string{"{}\n1\n", big + "\n", "2\n3\n"}, bodies)
	require.Equal(t, 5, r.mark(t).messages)
	require.JSONEq(t, `{"200":3,"messages":5,"waiting":0}`, r.counts.String())
}

func TestAttemptsAreEqual(t *testing.T) {
	r := newRig(t)
	begun := time.Now()
	r.answer = func(n int, _ request, w http.ResponseWriter) bool {
		switch n {
		case 1:
			return fail(w, 503, `{"reason":"in_flight_limit"}`)
		case 2:
			w.Header().Set("Retry-After", "1")
			return fail(w, 429, `a proxy`)
		case 3:
			panic(http.ErrAbortHandler) // closes the connection
		default:
			return false
		}
	}
	require.NoError(t, r.send(t.Context(), r.write(t, "1\n2\n3\n")))
	require.GreaterOrEqual(t, time.Since(begun), time.Second, "Retry-After")
	require.Len(t, r.requests, 5)
	for _, request := range r.requests[1:4] {
		require.Equal(t, r.requests[0], request)
	}
	require.Equal(t, r.mark(t).run+"-0", r.requests[0].key)
	require.Equal(t, request{r.mark(t).run + "-2", "3\n"}, r.requests[4])
	require.JSONEq(t, `{"200":2,"429":1,"503":1,"messages":3,"waiting":0}`, r.counts.String(), "net/http has repeated the request without an answer")
}

// The mark is at the end of the batches that were delivered without a gap, never beyond.
func TestTheMarkFollowsTheAnswers(t *testing.T) {
	r := newRig(t)
	r.parallel = 3
	r.answer = func(_ int, got request, w http.ResponseWriter) bool {
		if strings.Contains(got.body, "bad") {
			return fail(w, 400, `{"reason":"malformed_json","message":"m","offset":2}`)
		}
		return false
	}
	name := r.write(t, "1\n2\n3\n4\n5\n\"bad\"\n7\n8\n")
	err := r.send(t.Context(), name)
	require.ErrorContains(t, err, name+": message 6: 400 malformed_json: m")
	require.Equal(t, 4, r.mark(t).messages)

	// The next run has the same keys.
	first := r.mark(t).run
	r.write(t, "1\n2\n3\n4\n5\n\"good\"\n7\n8\n9\n")
	r.again()
	require.NoError(t, r.send(t.Context(), name))
	require.ElementsMatch(t, []request{{first + "-4", "5\n\"good\"\n"}, {first + "-6", "7\n8\n"}, {first + "-8", "9\n"}}, r.requests)
	require.Equal(t, 9, r.mark(t).messages)

	r.again()
	require.NoError(t, r.send(t.Context(), name))
	require.Empty(t, r.requests)

	for _, shrunk := range []string{"1\n2\n3\n4\n5\n\"good\"\n7\n8\n", ""} {
		r.write(t, shrunk)
		r.again()
		require.ErrorContains(t, r.send(t.Context(), name), "file.rtbeat-sent has more")
		require.Empty(t, r.requests)
	}
	// A log that was rotated has the name of the former one.
	r.write(t, strings.Repeat("0\n", 20))
	r.again()
	require.ErrorContains(t, r.send(t.Context(), name), "file.rtbeat-sent has other messages")
	require.NoError(t, os.WriteFile(name+".rtbeat-sent", make([]byte, 20), 0o600))
	r.again()
	require.ErrorContains(t, r.send(t.Context(), name), "file.rtbeat-sent is no mark")
	require.Empty(t, r.requests)

	r.isResumed = false
	r.write(t, "1\n")
	require.NoError(t, r.send(t.Context(), name))
	require.Equal(t, "1\n", r.bodies())
	require.NotEqual(t, first, r.mark(t).run)
}

// At each request, the mark has no message that was not answered with 200 before.
func TestTheMarkIsNeverAhead(t *testing.T) {
	r := newRig(t)
	delivered := 0
	r.answer = func(n int, got request, w http.ResponseWriter) bool {
		if r.mark(t).messages > delivered {
			t.Errorf("the mark is at %d of %d", r.mark(t).messages, delivered)
		}
		if n%2 == 1 {
			return fail(w, 503, `{"reason":"stopping"}`)
		}
		delivered += strings.Count(got.body, "\n")
		return false
	}
	require.NoError(t, r.send(t.Context(), r.write(t, "1\n2\n3\n4\n5\n")))
	require.Equal(t, 5, r.mark(t).messages)
}

func TestAnEndInBoundedTime(t *testing.T) {
	r := newRig(t)
	cause := errors.New("the cause")
	ctx, end := context.WithCancelCause(t.Context())
	r.answer = func(n int, _ request, w http.ResponseWriter) bool {
		if n == 1 {
			return false
		}
		end(cause)
		return fail(w, 503, `{"reason":"output_stalled"}`)
	}
	begun := time.Now()
	require.ErrorIs(t, r.send(ctx, r.write(t, "1\n2\n3\n")), cause)
	require.Less(t, time.Since(begun), 5*time.Second)
	require.Equal(t, 2, r.mark(t).messages)
}

func TestFinalAnswers(t *testing.T) {
	for code, want := range map[int]string{
		400: "message 1: 400 r: m",
		401: "401 r: m. Compare the credentials with rtbeat.auth",
		403: "--certificate",
		404: "rtbeat.port",
		413: "message 1: 413",
		415: "message 1: 415",
	} {
		r := newRig(t)
		r.answer = func(_ int, _ request, w http.ResponseWriter) bool {
			return fail(w, code, `{"reason":"r","message":"m"}`)
		}
		require.ErrorContains(t, r.send(t.Context(), r.write(t, "1\n2\n3\n")), want)
		require.Len(t, r.requests, 1)
		require.Zero(t, r.mark(t).messages)
	}
}

func TestMessagesWithAnIDNeedNoKey(t *testing.T) {
	r := newRig(t)
	r.id = "uuid"
	require.NoError(t, r.send(t.Context(), r.write(t, `{"uuid":"x"}`)))
	require.Equal(t, []request{{"", `{"uuid":"x"}` + "\n"}}, r.requests)
}

func TestTheRateIsALimit(t *testing.T) {
	r := newRig(t)
	r.rate = 10
	begun := time.Now()
	require.NoError(t, r.send(t.Context(), r.write(t, "1\n2\n3\n4\n5\n")))
	require.GreaterOrEqual(t, time.Since(begun), 250*time.Millisecond, "two of five messages are the burst")
}

func TestAnEndBetweenBatches(t *testing.T) {
	r := newRig(t)
	r.rate, r.batch = 0.1, 1
	ctx, end := context.WithCancel(t.Context())
	defer time.AfterFunc(200*time.Millisecond, end).Stop()
	require.ErrorIs(t, r.send(ctx, r.write(t, "1\n2\n")), context.Canceled)
	require.Equal(t, 1, r.mark(t).messages)
}

func TestHeadersOfTheCommandLine(t *testing.T) {
	t.Setenv("TOKEN", "x")
	headers := http.Header{}
	require.NoError(t, parseHeaders(headers, []string{"authorization: Bearer ${TOKEN}", "X-C: 3"}))
	require.Equal(t, http.Header{"Authorization": {"Bearer x"}, "X-C": {"3"}}, headers)
	for _, wrong := range []string{"hidden", " hidden: x", "X-A hidden: x", "X-Hidden:", "X-A: hidden\x00"} {
		err := parseHeaders(headers, []string{wrong})
		require.Error(t, err, wrong)
		require.NotContains(t, err.Error(), "hidden")
	}
}

// With a negative rate, a run would wait without an end.
func TestTheRateIsNotNegative(t *testing.T) {
	cmd := newSendCmd()
	cmd.SetArgs([]string{"--to", "http://127.0.0.1:1/in", "--rate", "-5", "file"})
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	var exit ExitError
	require.ErrorAs(t, cmd.Execute(), &exit)
	require.Equal(t, 2, exit.Code)
	require.ErrorContains(t, exit, "--rate")
}
