//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// secret is in every refused body. No answer and no log line may have it.
const secret = "hunter2-7f3a"

func requireFail(t testing.TB, a harness.Answer, code int, reason string) {
	t.Helper()
	require.NoError(t, a.Err)
	require.Equal(t, code, a.Code, "%s", a)
	require.Equal(t, "FAIL", a.Body.Status, "%s", a)
	require.Equal(t, reason, a.Body.Reason, "%s", a)
	require.NotEmpty(t, a.Body.Message, "%s", a)
	require.NotContains(t, string(a.Raw), secret, "the body is echoed")
}

// A mistake of the sender is a 4xx that says where it is, and nothing of the body is published.
func TestRefusedBodies(t *testing.T) {
	t.Parallel()
	const limit = 4096
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"max_body_bytes": limit}})
	client := harness.NewClient(t)

	good := `{"uuid":"` + secret + `","n":1}`
	const nowhere = -1
	for name, tt := range map[string]struct {
		body   string
		reason string
		offset int // of the mistake, in bytes
		index  int // of the message with the mistake, or nowhere
	}{
		"cut off":              {`{"messages":[{"uuid":"` + secret + `"`, "malformed_json", 35, 0},
		"no JSON":              {secret, "malformed_json", 0, nowhere},
		"bad in the second":    {`{"messages":[` + good + `,{"a":` + secret + `}]}`, "malformed_json", 48, 1},
		"trailing text":        {`{"messages":[]} ` + secret, "malformed_json", 16, nowhere},
		"invalid UTF-8":        {`{"messages":[` + good + `,{"a":"` + "\xff" + `"}]}`, "malformed_json", 49, 1},
		"the same key twice":   {`{"messages":[{"` + secret + `":1,"` + secret + `":2}]}`, "malformed_json", 31, 0},
		"an array of strings":  {`["` + secret + `"]`, "wrong_shape", 1, 0},
		"a batch among others": {`{"a":1}{"uuid":"` + secret + `","messages":[]}`, "wrong_shape", 7, nowhere},
		"size no number":       {`{"size":"` + secret + `","messages":[]}`, "wrong_shape", 8, nowhere},
		"message no object":    {`{"messages":[` + good + `,"` + secret + `"]}`, "wrong_shape", 43, 1},
		"size too large":       {`{"size":2,"messages":[` + good + `]}`, "size_mismatch", 8, nowhere},
		"size behind messages": {`{"messages":[` + good + `],"size":0}`, "size_mismatch", 51, nowhere},
		"no body":              {"", "empty_body", 0, nowhere},
	} {
		t.Run(name, func(t *testing.T) {
			a := client.Post(t.Context(), b.Addr, []byte(tt.body))
			requireFail(t, a, http.StatusBadRequest, tt.reason)
			require.NotNil(t, a.Body.Offset, "%s", a)
			require.EqualValues(t, tt.offset, *a.Body.Offset, "%s", a)
			if tt.index == nowhere {
				require.Nil(t, a.Body.Index, "%s", a)
			} else {
				require.NotNil(t, a.Body.Index, "%s", a)
				require.Equal(t, tt.index, *a.Body.Index, "%s", a)
			}
		})
	}

	large := []byte(`{"messages":[{"uuid":"` + secret + `","pad":"` + strings.Repeat("x", limit) + `"}]}`)
	for name, body := range map[string]io.Reader{
		"too large, announced": bytes.NewReader(large),
		// Without a length the client sends chunks.
		"too large, chunked": io.MultiReader(bytes.NewReader(large)),
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.Addr+"/in", body)
			require.NoError(t, err)
			requireFail(t, client.Do(req), http.StatusRequestEntityTooLarge, "body_too_large")
		})
	}

	require.Zero(t, sink.Received(), "events of refused batches")
	require.NotContains(t, b.Log.String(), secret, "the body is in the log")
	require.NotContains(t, fmt.Sprint(b.Metrics()), secret, "the body is in a label")
	// After that, the process accepts a good batch.
	requireDelivered(t, harness.NewLedger(t).Post(t.Context(), b.Addr, harness.NewBatch("good", 2)), 2)
}

func TestPathsAndMethods(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr()})
	client := harness.NewClient(t)

	for _, tt := range []struct {
		method, path string
		code         int
		reason       string
		allow        string
	}{
		{http.MethodPost, "/", http.StatusNotFound, "not_found", ""},
		{http.MethodPost, "/in/", http.StatusNotFound, "not_found", ""},
		{http.MethodPost, "/in/x", http.StatusNotFound, "not_found", ""},
		{http.MethodGet, "/" + secret, http.StatusNotFound, "not_found", ""},
		{http.MethodGet, "/in", http.StatusMethodNotAllowed, "method_not_allowed", http.MethodPost},
		{http.MethodPut, "/in", http.StatusMethodNotAllowed, "method_not_allowed", http.MethodPost},
		{http.MethodDelete, "/in", http.StatusMethodNotAllowed, "method_not_allowed", http.MethodPost},
		{http.MethodPost, "/livez", http.StatusMethodNotAllowed, "method_not_allowed", http.MethodGet},
		{http.MethodPost, "/readyz", http.StatusMethodNotAllowed, "method_not_allowed", http.MethodGet},
		{http.MethodPost, "/metrics", http.StatusMethodNotAllowed, "method_not_allowed", http.MethodGet},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+b.Addr+tt.path,
				bytes.NewReader(harness.NewBatch("astray", 1).Body()))
			require.NoError(t, err)
			a := client.Do(req)
			requireFail(t, a, tt.code, tt.reason)
			require.Contains(t, a.Header.Get("Allow"), tt.allow)
		})
	}
	require.Equal(t, http.StatusOK, b.Get("/livez").Code)
	harness.Await(t, prompt, "ready", func() bool { return b.Get("/readyz").Code == http.StatusOK })
	require.Zero(t, sink.Received())

	// Each answer is counted under its own reason.
	require.Equal(t, 4, b.Answers(http.StatusNotFound, "not_found"))
	require.Equal(t, 6, b.Answers(http.StatusMethodNotAllowed, "method_not_allowed"))
}

// An empty batch is delivered in any state of the output.
func TestEmptyBatchNeedsNoOutput(t *testing.T) {
	t.Parallel()
	b := harness.StartBeat(t, harness.Settings{Sink: harness.DeadAddress(t)})
	client := harness.NewClient(t)
	for _, body := range []string{
		`{"uuid":"empty","size":0,"messages":[]}`,
		`{"uuid":"empty","size":0,"messages":null}`,
		`{"messages":[]}`,
	} {
		a := client.Post(t.Context(), b.Addr, []byte(body))
		requireDelivered(t, a, 0)
		require.Less(t, a.Took(), prompt)
	}
}

// A batch for an unreachable output is not lost: the sender keeps it, and is answered 200 when the output is back.
func TestUnreachableOutputIsATimeout(t *testing.T) {
	t.Parallel()
	address := harness.DeadAddress(t)
	b := harness.StartBeat(t, harness.Settings{
		Sink:   address,
		Rtbeat: map[string]any{"timeout": 1},
		Output: map[string]any{"backoff.init": "100ms", "backoff.max": "200ms"},
	})
	l := harness.NewLedger(t)
	batch := harness.NewBatch("unreachable", 3)
	a := l.Post(t.Context(), b.Addr, batch)
	requireTimeout(t, a, len(batch))
	require.Less(t, a.Took(), time.Second+slack)

	sink, err := lumbersink.Listen(address, harness.SinkTimes()...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sink.Close()) })
	harness.Await(t, harness.ArriveWithin, "a 200", func() bool {
		return l.Post(t.Context(), b.Addr, batch).Code == http.StatusOK
	})
	l.Check(t, sink)
}
