package sender

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// request is what the server of a test has seen.
type request struct{ key, body string }

// rig is a server that answers as rtbeat does, and a Sender for it.
type rig struct {
	*Sender
	home string
	log  *bytes.Buffer

	mu       sync.Mutex
	requests []request
	answer   func(n int, r request, w http.ResponseWriter) bool // n counts from 1; false is a 200
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{home: t.TempDir(), log: &bytes.Buffer{}, answer: func(int, request, http.ResponseWriter) bool { return false }}
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
	to, err := url.Parse(server.URL)
	require.NoError(t, err)
	client := NewClient(*to, "/in", nil, 10*time.Second)
	t.Cleanup(func() {
		server.Close()
		client.http.CloseIdleConnections()
	})
	r.Sender = &Sender{Client: client, Batch: 2, Parallel: 1, Log: r.log, Answers: map[int]int{}, Begun: time.Now()}
	return r
}

// again is another run.
func (r *rig) again() {
	r.requests = nil
	r.Sender = &Sender{Client: r.Client, Batch: r.Batch, Parallel: r.Parallel, IsResumed: true, Log: r.log, Answers: map[int]int{}, Begun: time.Now()}
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
	require.NoError(t, json.Unmarshal(text, &m))
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
	require.NoError(t, r.Send(t.Context(), r.write(t, "{}\n\n1\r\n"+big+"\n2\n3\n\n\n")))
	var bodies []string
	for _, request := range r.requests {
		bodies = append(bodies, request.body)
	}
	require.Equal(t, []string{"{}\n\n", "1\n" + big + "\n", "2\n3\n"}, bodies, "a batch of blank lines alone is not posted")
	require.Equal(t, 8, r.mark(t).Lines)
	require.Contains(t, r.Summary(), "5 messages,")
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
	require.NoError(t, r.Send(t.Context(), r.write(t, "1\n2\n3\n")))
	require.GreaterOrEqual(t, time.Since(begun), time.Second, "Retry-After")
	require.Len(t, r.requests, 5)
	for _, request := range r.requests[1:4] {
		require.Equal(t, r.requests[0], request)
	}
	require.Equal(t, r.mark(t).Run+"-0", r.requests[0].key)
	require.Equal(t, request{r.mark(t).Run + "-2", "3\n"}, r.requests[4])
	require.Equal(t, map[int]int{200: 2, 429: 1, 503: 1}, r.Answers, "net/http has repeated the request without an answer")
	require.Contains(t, r.log.String(), "in_flight_limit")
}

// The mark is at the end of the batches that were delivered without a gap, never beyond.
func TestTheMarkFollowsTheAnswers(t *testing.T) {
	r := newRig(t)
	r.Parallel = 3
	r.answer = func(_ int, got request, w http.ResponseWriter) bool {
		if strings.Contains(got.body, "bad") {
			return fail(w, 400, `{"reason":"malformed_json","message":"m","offset":2}`)
		}
		return false
	}
	name := r.write(t, "1\n2\n3\n4\n5\nbad\n7\n8\n")
	err := r.Send(t.Context(), name)
	require.ErrorContains(t, err, name+": line or element 6: 400 malformed_json: m")
	require.Equal(t, 4, r.mark(t).Lines)

	// The next run has the same keys.
	first := r.mark(t).Run
	r.write(t, "1\n2\n3\n4\n5\ngood\n7\n8\n9\n")
	r.again()
	require.NoError(t, r.Send(t.Context(), name))
	require.ElementsMatch(t, []request{{first + "-4", "5\ngood\n"}, {first + "-6", "7\n8\n"}, {first + "-8", "9\n"}}, r.requests)
	require.Equal(t, 9, r.mark(t).Lines)

	r.again()
	require.NoError(t, r.Send(t.Context(), name))
	require.Empty(t, r.requests)

	for _, changed := range []string{"1\n2\n3\n4\n5\ngood\n7\n8\n", "1\n2\n3\n4\n5\ngood\n7\n8\n9 changed\n", ""} {
		r.write(t, changed)
		r.again()
		require.ErrorContains(t, r.Send(t.Context(), name), "it shrank or changed")
		require.Empty(t, r.requests)
	}
	r.IsResumed = false
	r.write(t, "1\n")
	require.NoError(t, r.Send(t.Context(), name))
	require.Equal(t, "1\n", r.bodies())
	require.NotEqual(t, first, r.mark(t).Run)
}

// At each request, the mark has no message that was not answered with 200 before.
func TestTheMarkIsNeverAhead(t *testing.T) {
	r := newRig(t)
	delivered := 0
	r.answer = func(n int, got request, w http.ResponseWriter) bool {
		if r.mark(t).Lines > delivered {
			t.Errorf("the mark is at %d of %d", r.mark(t).Lines, delivered)
		}
		if n%2 == 1 {
			return fail(w, 503, `{"reason":"stopping"}`)
		}
		delivered += strings.Count(got.body, "\n")
		return false
	}
	require.NoError(t, r.Send(t.Context(), r.write(t, "1\n2\n3\n4\n5\n")))
	require.Equal(t, 5, r.mark(t).Lines)
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
	require.ErrorIs(t, r.Send(ctx, r.write(t, "1\n2\n3\n")), cause)
	require.Less(t, time.Since(begun), 5*time.Second)
	require.Equal(t, 2, r.mark(t).Lines)
}

func TestFinalAnswers(t *testing.T) {
	for code, want := range map[int]string{
		400: "line or element 1: 400 r: m",
		401: "401 r: m. Compare the credentials with rtbeat.auth",
		403: "--certificate",
		404: "rtbeat.admin.port",
		413: "line or element 1: 413",
		415: "content_types",
	} {
		r := newRig(t)
		r.answer = func(_ int, _ request, w http.ResponseWriter) bool {
			return fail(w, code, `{"reason":"r","message":"m"}`)
		}
		require.ErrorContains(t, r.Send(t.Context(), r.write(t, "1\n2\n3\n")), want)
		require.Len(t, r.requests, 1)
		require.Zero(t, r.mark(t).Lines)
	}
}

func TestEachMessageMustHaveTheID(t *testing.T) {
	for message, want := range map[string]bool{
		`{"a":{"id":"x"}}`: true,
		`{"a":{"id":1}}`:   true,
		`{"a":{"id":""}}`:  false,
		`{"a":{"id":[1]}}`: false,
		`{"a":{}}`:         false,
		`{"a":1}`:          false,
		`[1]`:              false,
		`{"a":{"id":"x"}`:  false,
	} {
		r := newRig(t)
		r.ID = "a.id"
		err := r.Send(t.Context(), r.write(t, `{"a":{"id":"first"}}`+"\n"+message+"\n"))
		if want {
			require.NoError(t, err, message)
			continue
		}
		require.ErrorContains(t, err, "line or element 2: no a.id", message)
		require.Equal(t, 1, r.mark(t).Lines)
	}
}

func TestTheRateIsALimit(t *testing.T) {
	r := newRig(t)
	r.Rate = 10
	begun := time.Now()
	require.NoError(t, r.Send(t.Context(), r.write(t, "1\n2\n3\n4\n5\n")))
	require.GreaterOrEqual(t, time.Since(begun), 250*time.Millisecond, "two of five messages are the burst")
}

func TestAnEndBetweenMessages(t *testing.T) {
	r := newRig(t)
	r.Rate, r.Batch = 0.1, 1
	cause := errors.New("the cause")
	ctx, end := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, cause)
	defer end()
	require.ErrorIs(t, r.Send(ctx, r.write(t, "1\n2\n")), cause)
	require.ErrorIs(t, context.Cause(ctx), cause, "the exit code depends on it")
	require.Equal(t, 1, r.mark(t).Lines)
}
