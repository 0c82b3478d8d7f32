package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// senderTimeout is the time that a sender waits for an answer, as rxtx's client does.
const senderTimeout = 60 * time.Second

// Answer is the result of one request, as its sender sees it.
type Answer struct {
	// Start is before the first byte was sent. At is the time of the answer's first byte, or of the error.
	Start, At time.Time
	// Err is set when there was no HTTP answer.
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

// Took is the time that the sender waited.
func (a Answer) Took() time.Duration { return a.At.Sub(a.Start) }

// isRefused says whether the answer means that no message of the batch was taken.
func (a Answer) isRefused() bool {
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

// Client sends HTTP requests to a process. Clients share no connections.
type Client struct {
	http *http.Client
}

// NewClient makes a client whose connections end with the test.
func NewClient(t testing.TB) *Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(transport.CloseIdleConnections)
	return NewClientOver(transport)
}

// NewClientOver makes a client over the caller's transport.
func NewClientOver(transport http.RoundTripper) *Client {
	return &Client{http: &http.Client{Transport: transport, Timeout: senderTimeout}}
}

// Post sends a body unchanged.
func (c *Client) Post(ctx context.Context, addr string, body []byte) Answer {
	return c.PostTo(ctx, intakeURL(addr), nil, body)
}

// PostTo sends a body to any URL, with more headers.
func (c *Client) PostTo(ctx context.Context, url string, header http.Header, body []byte) Answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return Answer{Start: time.Now(), At: time.Now(), Err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	maps.Copy(req.Header, header)
	return c.Do(req)
}

func intakeURL(addr string) string { return "http://" + addr + "/in" }

// Do sends a request and notes the times.
func (c *Client) Do(req *http.Request) Answer {
	var a Answer
	// The ledger needs the first byte: from then on the sender may know the answer.
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
	// Not every answer is JSON (/metrics). A test that needs a field asserts it.
	_ = json.Unmarshal(a.Raw, &a.Body)
	return a
}

// Get requests a page of the process.
func (b *Beat) Get(path string) Answer {
	b.t.Helper()
	// A new connection: tests also call this while the process closes its idle connections.
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	c := &Client{http: &http.Client{Transport: transport, Timeout: 5 * time.Second}}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+b.Health+path, http.NoBody)
	require.NoError(b.t, err)
	return c.Do(req)
}

// Metrics reads /metrics: the values by sample name, with its labels as written.
func (b *Beat) Metrics() map[string]float64 {
	b.t.Helper()
	samples, err := b.Get("/metrics").Samples()
	require.NoError(b.t, err)
	return samples
}

// Samples has the values of an answer of /metrics.
func (a Answer) Samples() (map[string]float64, error) {
	if a.Err != nil || a.Code != http.StatusOK {
		return nil, fmt.Errorf("/metrics: %s", a)
	}
	samples := make(map[string]float64)
	for line := range strings.Lines(string(a.Raw)) {
		line = strings.TrimSpace(line)
		cut := strings.LastIndexByte(line, ' ')
		if cut < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		value, err := strconv.ParseFloat(line[cut+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("/metrics: %q: %w", line, err)
		}
		samples[line[:cut]] = value
	}
	return samples, nil
}

// Metric is one sample without labels. A missing metric fails the test.
func (b *Beat) Metric(name string) float64 {
	b.t.Helper()
	samples := b.Metrics()
	require.Contains(b.t, samples, name)
	return samples[name]
}

// Answers is the process's own count of an answer, of all sources.
func (b *Beat) Answers(code int, reason string) (n int) {
	b.t.Helper()
	for name, value := range b.Metrics() {
		if strings.HasPrefix(name, fmt.Sprintf(`rtbeat_answers_total{code="%d",reason=%q,`, code, reason)) {
			n += int(value)
		}
	}
	return n
}
