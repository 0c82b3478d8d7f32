package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// senderTimeout is how long a sender waits for an answer; rxtx's own client waits as long.
const senderTimeout = 60 * time.Second

// Answer is what a sender learnt from one POST.
type Answer struct {
	// Start is before the first byte was sent, At when the first byte of the answer (or the error) came.
	Start, At time.Time
	// Err is set when no HTTP answer came at all.
	Err    error
	Code   int
	Header http.Header
	Raw    []byte
	// Body is Raw, decoded.
	Body struct {
		Status, Ack, Reason, Message, Processor        string
		Messages, Acked, Coalesced, Filtered, Rejected int
		Offset                                         *int64
		Index                                          *int
	}
}

// Took is how long the sender waited.
func (a Answer) Took() time.Duration { return a.At.Sub(a.Start) }

// tookNothing says whether the sender was told that nothing of its batch was taken.
func (a Answer) tookNothing() bool {
	refused := a.Code >= 400 && a.Code < 500 || a.Code == http.StatusServiceUnavailable &&
		(a.Body.Reason == "in_flight_limit" || a.Body.Reason == "output_stalled" || a.Body.Reason == "queue_full")
	return a.Err == nil && refused
}

// String is the answer in a failure message.
func (a Answer) String() string {
	if a.Err != nil {
		return "no answer: " + a.Err.Error()
	}
	return strconv.Itoa(a.Code) + " " + strings.TrimSpace(string(a.Raw)) + " after " + a.Took().String()
}

// Client talks HTTP to a process. Each has its own connections, so that one story's are not another's.
type Client struct {
	http *http.Client
}

// NewClient makes a client whose connections end with the test.
func NewClient(t testing.TB) *Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(transport.CloseIdleConnections)
	return &Client{http: &http.Client{Transport: transport, Timeout: senderTimeout}}
}

// Post sends a body as it is.
func (c *Client) Post(ctx context.Context, addr string, body []byte) Answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/in", bytes.NewReader(body))
	if err != nil {
		return Answer{Err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	return c.Do(req)
}

// Do sends any request and notes the times.
func (c *Client) Do(req *http.Request) Answer {
	var a Answer
	// The first byte, not the end of the body: "no 200 before the ack" is judged by the earliest the sender can know.
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotFirstResponseByte: func() { a.At = time.Now() },
	}))
	a.Start = time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		a.At, a.Err = time.Now(), err
		return a
	}
	defer resp.Body.Close()
	a.Code, a.Header = resp.StatusCode, resp.Header
	if a.Raw, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20)); err != nil {
		a.Err = err
		return a
	}
	// Not every answer is JSON (/metrics); a story that needs a field asserts it.
	_ = json.Unmarshal(a.Raw, &a.Body)
	return a
}

// Get asks one of the process's own pages.
func (b *Beat) Get(path string) Answer {
	b.t.Helper()
	// A connection of its own: these questions are also asked of a process that is closing its connections.
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	c := &Client{http: &http.Client{Transport: transport, Timeout: 5 * time.Second}}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+b.Health+path, http.NoBody)
	require.NoError(b.t, err)
	return c.Do(req)
}

// Metrics reads /metrics: sample name with its labels as written → value.
func (b *Beat) Metrics() map[string]float64 {
	b.t.Helper()
	a := b.Get("/metrics")
	require.NoError(b.t, a.Err)
	require.Equal(b.t, http.StatusOK, a.Code)
	samples := make(map[string]float64)
	lines := bufio.NewScanner(bytes.NewReader(a.Raw))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		cut := strings.LastIndexByte(line, ' ')
		if cut < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		v, err := strconv.ParseFloat(line[cut+1:], 64)
		require.NoError(b.t, err, "/metrics: %q", line)
		samples[line[:cut]] = v
	}
	require.NoError(b.t, lines.Err())
	return samples
}

// Metric is one sample without labels; a metric that is not there fails the test rather than count as zero.
func (b *Beat) Metric(name string) float64 {
	b.t.Helper()
	samples := b.Metrics()
	require.Contains(b.t, samples, name)
	return samples[name]
}

// Answers is how often the process says that it gave this answer.
func (b *Beat) Answers(code int, reason string) int {
	b.t.Helper()
	return int(b.Metrics()[fmt.Sprintf(`rtbeat_answers_total{code="%d",reason=%q}`, code, reason)])
}
