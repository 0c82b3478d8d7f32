package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/clientip"
	"github.com/txn2/rtbeat/internal/contentcoding"
	"github.com/txn2/rtbeat/internal/dedupe"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/metrics"
	"github.com/txn2/rtbeat/internal/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for an event that is due at once.
const patience = 10 * time.Second

// rig is a whole server without a pipeline. It has no network unless serve is called.
type rig struct {
	t         *testing.T
	admission *inflight.Admission
	registry  *inflight.Registry
	metrics   counted
	log       *fakeLog
	server    *Server

	connections Connections
	sealed      bool
}

// limits are the settings of a rig.
type limits struct {
	Settings
	Source        // the first of the sources
	Others        []Source
	Connections   Connections
	Store         Store
	Ack           Ack
	Trusted       clientip.Trusted
	Admin, Dedupe bool

	InFlight int64
	Registry inflight.Settings
}

// newRig makes a rig of small limits. Its test must leave it at rest.
func newRig(t *testing.T, changes ...func(*limits)) *rig {
	t.Helper()
	l := limits{
		Settings: Settings{
			Timeout: 5 * time.Second, ReadTimeout: 2 * time.Second, IdleTimeout: time.Minute, MaxBody: 1000,
			MaxMessages: 100, MaxDepth: 20, MaxHeader: 8 << 10,
		},
		Source:      Source{Source: source.Default(source.DefaultSettings())},
		Connections: anyConnections{},
		Ack:         Delivered,
		InFlight:    10_000,
		Registry:    inflight.Settings{Dedupe: dedupe.Settings{Enabled: true, Window: 10 * time.Minute, MaxEntries: 1000}, StallAfter: 30 * time.Second},
	}
	for _, change := range changes {
		change(&l)
	}
	r := &rig{
		t:         t,
		admission: inflight.NewAdmission(l.InFlight),
		registry:  inflight.NewRegistry(l.Registry),

		connections: l.Connections,
		log:         &fakeLog{},
	}
	r.server = New(l.Settings, Parts{
		Sources:     append([]Source{l.Source}, l.Others...),
		Admission:   r.admission,
		Registry:    r.registry,
		Store:       l.Store,
		Ack:         l.Ack,
		Metrics:     metrics.NewRegistry(),
		Trusted:     l.Trusted,
		Admin:       l.Admin,
		Dedupe:      l.Dedupe,
		Connections: l.Connections,
		Status:      http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "status") }),
		StatusPaths: []string{"/", "/status.json", "/status.css", "/status.js", "/status.svg"},
		Log:         r.log,
	})
	r.metrics = counted{r.server.endpoints[0].counters}
	t.Cleanup(func() {
		r.server.abort(nil)
		if !t.Failed() {
			r.requireAtRest()
		}
	})
	return r
}

// requireAtRest checks the invariant at the end of every test: nothing of an ended request is held.
func (r *rig) requireAtRest() {
	r.t.Helper()
	require.Zero(r.t, r.admission.Used(), "bytes in flight")
	require.Zero(r.t, r.registry.Events(), "events in flight")
	require.Zero(r.t, number(r.metrics.requests), "requests counted in and not out")
	if !r.sealed { // a sealed registry does not forget its tokens
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		require.NoError(r.t, r.registry.WaitEmpty(ended), "open tokens")
	}
}

func (r *rig) seal() {
	r.registry.Seal()
	r.sealed = true
}

// requireAnswers checks which answers were counted, as "code reason".
func (r *rig) requireAnswers(want ...string) {
	r.t.Helper()
	counted := make(map[string]int)
	for _, answer := range want {
		counted[answer]++
	}
	require.Equal(r.t, counted, r.metrics.answered())
}

// requireDelivered checks how long each batch took that was answered 200.
func (r *rig) requireDelivered(took ...time.Duration) {
	r.t.Helper()
	var observed dto.Metric
	require.NoError(r.t, r.metrics.ackDuration.Write(&observed))
	sum := 0.0
	for _, d := range took {
		sum += d.Seconds()
	}
	require.EqualValues(r.t, len(took), observed.GetHistogram().GetSampleCount())
	require.InDelta(r.t, sum, observed.GetHistogram().GetSampleSum(), 0)
}

// labels are the labels of an outcome in rtbeat_answers_total.
func labels(o outcome) string { return fmt.Sprint(outcomes[o].status, " ", outcomes[o].reason) }

// weigh returns the weight of a body, while it is decoded and waits, and the weight of its first message.
func weigh(body string) (whole int64, message int) {
	whole = int64(len(body))
	b, err := batch.Decode([]byte(body), batch.Options{Charge: func(n int64) error { whole += n; return nil }})
	if err != nil {
		panic(err)
	}
	return whole, b.Messages[0].Weight
}

// messageWeight is the weight of one message of messages.
var _, messageWeight = weigh(messages(1))

// messages is a batch of n small messages.
func messages(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"seq":%d}`, i)
	}
	return `{"messages":[` + strings.Join(list, ",") + `]}`
}

// bearer is the credential of every request, also without authentication.
const bearer = "the-right-one"

// request is a POST of a batch whose length is announced.
func (r *rig) request(body string) *http.Request {
	req := httptest.NewRequestWithContext(r.t.Context(), http.MethodPost, "/in", strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+bearer)
	return req
}

// chunked is a POST whose length is not announced.
func (r *rig) chunked(body io.Reader) *http.Request {
	req := httptest.NewRequestWithContext(r.t.Context(), http.MethodPost, "/in", io.NopCloser(body))
	req.Header.Set("Authorization", "Bearer "+bearer)
	return req
}

// call is one request on its way through the handler.
type call struct {
	t        *testing.T
	recorder *httptest.ResponseRecorder
	ended    chan struct{}
	took     time.Duration
	panicked any
}

// start serves a request in the background.
func (r *rig) start(req *http.Request) *call {
	return start(r.t, r.server.http.Handler, req)
}

func start(t *testing.T, handler http.Handler, req *http.Request) *call {
	t.Helper()
	c := &call{t: t, recorder: httptest.NewRecorder(), ended: make(chan struct{})}
	start := time.Now()
	go func() {
		defer close(c.ended)
		defer func() { c.panicked = recover() }()
		defer func() { c.took = time.Since(start) }()
		handler.ServeHTTP(c.recorder, req)
	}()
	return c
}

// do serves a request to its end.
func (r *rig) do(req *http.Request) *call {
	r.t.Helper()
	c := r.start(req)
	c.wait()
	return c
}

func (c *call) wait() {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(time.Hour): // a moment in a synctest bubble
		require.FailNow(c.t, "no answer")
	}
}

// requireWaiting checks that the request is not answered yet. For synctest bubbles.
func (c *call) requireWaiting() {
	c.t.Helper()
	synctest.Wait()
	select {
	case <-c.ended:
		require.FailNow(c.t, "answered already", "%d %s", c.recorder.Code, c.recorder.Body)
	default:
	}
}

// requireAnswer checks that the request ended with this outcome, and returns the body of the answer.
func (c *call) requireAnswer(want outcome) string {
	c.t.Helper()
	c.wait()
	require.Nil(c.t, c.panicked)
	header := c.recorder.Header()
	requireAnswer(c.t, want, c.recorder.Code, header, c.recorder.Body.String())
	if !want.health() { // those depend on the phase
		require.Equal(c.t, outcomes[want].close, header.Get("Connection") == "close", "Connection: close")
	}
	return c.recorder.Body.String()
}

// requireLastAnswer checks that the request ended with this outcome, and that its connection is to be closed.
func (c *call) requireLastAnswer(want outcome) {
	c.t.Helper()
	c.wait()
	require.Nil(c.t, c.panicked)
	requireAnswer(c.t, want, c.recorder.Code, c.recorder.Header(), c.recorder.Body.String())
	require.Equal(c.t, "close", c.recorder.Header().Get("Connection"))
}

// requireAnswer checks the status, headers and fields of an answer with this outcome.
func requireAnswer(t *testing.T, want outcome, code int, header http.Header, body string) {
	t.Helper()
	o := outcomes[want]
	require.Equal(t, o.status, code, body)
	var said struct{ Status, Reason, Message string }
	require.NoError(t, json.Unmarshal([]byte(body), &said), body)
	require.Equal(t, o.word, said.Status)
	require.Equal(t, want.answerReason(), said.Reason)
	require.True(t, strings.HasPrefix(said.Message, o.phrase), said.Message)

	require.Equal(t, "application/json", header.Get("Content-Type"))
	require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
	require.Equal(t, "no-store", header.Get("Cache-Control"))
	require.Equal(t, strconv.Itoa(len(body)), header.Get("Content-Length"))
	require.Equal(t, want == unsupportedEncoding, header.Get("Accept-Encoding") == contentcoding.Accepted, "Accept-Encoding")
	require.Equal(t, want == unsupportedType, header.Get("Accept") == acceptedTypes, "Accept")
	require.Equal(t, want == unauthorized, header.Get("WWW-Authenticate") != "", "WWW-Authenticate")
	require.Regexp(t, `^[0-9a-f]{32}$`, header.Get("X-Request-ID"))
	require.Equal(t, o.retry, header.Get("Retry-After") != "", "Retry-After")
}

// replier returns the replier of a server that does not leave.
func (r *rig) replier() *replier {
	return newReplier(&handler{Parts: Parts{Log: r.log, Registry: r.registry, Sources: r.server.handler.Sources, Connections: anyConnections{}}, counters: r.metrics.counters, leaving: func() bool { return false }})
}
