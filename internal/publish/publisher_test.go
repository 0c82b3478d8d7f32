package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/dedupe"
	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/metrics"
	"github.com/txn2/rtbeat/internal/pipelinetest"
	"github.com/txn2/rtbeat/internal/publish"
)

func TestMain(m *testing.M) {
	registerProcessors()
	goleak.VerifyTestMain(m)
}

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

var errPatience = errors.New("did not happen in time")

// rig is a publisher on a real pipeline.
type rig struct {
	t         *testing.T
	publisher *publish.Publisher
	admission *inflight.Admission
	registry  *inflight.Registry
	metrics   *metrics.Registry
	// closePipeline may be called more than once, unlike libbeat's Close.
	closePipeline func() error
	origin        inflight.Origin
}

func newRig(t *testing.T, output *pipelinetest.Output, workers, window int, settings string) *rig {
	t.Helper()
	return newRigOf(t, output, workers, window, settings, rigSettings{})
}

// rigSettings are the settings of a rig beside those of libbeat.
type rigSettings struct {
	id       inflight.DocumentID
	registry inflight.Settings
	form     *event.Form
	forms    map[string]*event.Form
}

func newRigWith(t *testing.T, output *pipelinetest.Output, workers, window int, settings string, id inflight.DocumentID, registry inflight.Settings) *rig {
	t.Helper()
	return newRigOf(t, output, workers, window, settings, rigSettings{id: id, registry: registry})
}

func newRigOf(t *testing.T, output *pipelinetest.Output, workers, window int, settings string, s rigSettings) *rig {
	t.Helper()
	if s.id == "" {
		s.id, s.registry = inflight.ContentID, inflight.Settings{Dedupe: dedupe.Settings{Enabled: true, Window: time.Minute, MaxEntries: 1000}}
	}
	if s.form == nil {
		s.form = event.NewForm(event.DefaultSettings())
	}
	config, processors, err := publish.WatchProcessors(pipelinetest.Config(t, settings))
	require.NoError(t, err)
	pipeline := pipelinetest.New(t, output, window, config)
	r := &rig{
		t:             t,
		origin:        inflight.Origin{ClientIP: "192.0.2.7"},
		admission:     inflight.NewAdmission(1 << 20),
		registry:      inflight.NewRegistry(s.registry),
		metrics:       metrics.NewRegistry(),
		closePipeline: sync.OnceValue(pipeline.Close),
	}
	r.publisher, err = publish.New(pipeline, r.registry, publish.Settings{Workers: workers, DocumentID: s.id, Processors: processors, Forms: s.forms, Form: s.form}, r.metrics, logp.NewNopLogger())
	require.NoError(t, err)
	t.Cleanup(r.close)
	return r
}

// count is the sum of the series of a metric that have these values of labels. Of a histogram it is the number of observations.
func (r *rig) count(name string, labelValues ...string) (sum int) {
	r.t.Helper()
	families, err := r.metrics.Gather()
	require.NoError(r.t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			if len(labelValues) == 0 || m.GetLabel()[0].GetValue() == labelValues[0] {
				sum += int(m.GetCounter().GetValue()) + int(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

// close stops in the order of the beater: seal, clients, pipeline, workers.
func (r *rig) close() {
	r.registry.Seal()
	r.publisher.Close()
	require.NoError(r.t, r.closePipeline())
	r.publisher.Wait()
}

func (r *rig) patient() (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(context.Background(), patience, errPatience)
}

func (r *rig) publish(messages ...string) *inflight.BatchAck {
	r.t.Helper()
	return r.post(`{"messages":[`+strings.Join(messages, ",")+`]}`, batch.Options{})
}

func (r *rig) post(body string, o batch.Options) *inflight.BatchAck {
	r.t.Helper()
	reservation, err := r.admission.Open(int64(len(body)))
	require.NoError(r.t, err)
	require.NoError(r.t, reservation.Grow(int64(len(body))))
	r.origin.Received = time.Now()
	o.Identity.Fields = []string{"uuid"}
	b, err := batch.Decode([]byte(body), o)
	require.NoError(r.t, err)
	token, err := r.registry.Claim(b.Messages, r.origin, reservation)
	require.NoError(r.t, err)
	token.Publish()
	return token
}

// end is the error with which the wait for the batch ends.
func (r *rig) end(token *inflight.BatchAck) error {
	ctx, cancel := r.patient()
	defer cancel()
	return token.Wait(ctx)
}

func (r *rig) requireDelivered(token *inflight.BatchAck, want inflight.Progress) {
	r.t.Helper()
	ctx, cancel := r.patient()
	defer cancel()
	require.NoError(r.t, token.Wait(ctx))
	require.Equal(r.t, want, token.Progress())
}

// requireEmpty is the invariant at the end: nothing in flight, no byte held.
func (r *rig) requireEmpty() {
	r.t.Helper()
	ctx, cancel := r.patient()
	defer cancel()
	require.NoError(r.t, r.registry.WaitEmpty(ctx))
	require.Zero(r.t, r.registry.Events())
	require.Zero(r.t, r.admission.Used())
	require.Zero(r.t, r.registry.QueueLength())
}

func numbered(n int) []string {
	messages := make([]string, n)
	for i := range messages {
		messages[i] = fmt.Sprintf(`{"n":%d}`, i)
	}
	return messages
}

func ackAll(b publisher.Batch) { b.ACK() }

func TestEventIsTheMessageAsItWasSent(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRig(t, output, 1, 10, "")
	const message = `{"big":9007199254740993,"uint":18446744073709551615,"nothing":null,"a.b":{"":[1,2.5,"x",null,true]}}`
	token := r.publish(message)

	window := output.Next()
	content := window.Events()[0].Content
	require.WithinDuration(t, time.Now(), content.Timestamp, time.Minute)
	require.Equal(t, "rtbeat", content.Fields["type"])
	require.Equal(t, "192.0.2.7", content.Fields["clientIp"])
	encoded, err := json.Marshal(content.Fields["rxtxMsg"])
	require.NoError(t, err)
	require.JSONEq(t, message, string(encoded))
	require.Contains(t, string(encoded), "9007199254740993", "exact beyond 2^53")
	require.Contains(t, string(encoded), `"nothing":null`, "null is kept")
	require.Empty(t, content.Meta)

	window.ACK()
	r.requireDelivered(token, inflight.Progress{Messages: 1, Acked: 1})
	r.requireEmpty()
}

// Each event has its origin in maps of its own: a processor may change the maps of one event.
func TestEventHasItsOrigin(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRig(t, output, 1, 1, "")
	r.origin = inflight.Origin{ClientIP: "192.0.2.7", Headers: map[string]string{"x-tenant": "a", "x.y": "b"}}
	token := r.publish(numbered(2)...)
	first, second := output.Next(), output.Next()
	headers := first.Events()[0].Content.Fields["headers"]
	require.Equal(t, mapstr.M{"x-tenant": "a", "x.y": "b"}, headers)
	headers.(mapstr.M)["x-tenant"] = "changed"
	require.Equal(t, mapstr.M{"x-tenant": "a", "x.y": "b"}, second.Events()[0].Content.Fields["headers"])
	first.ACK()
	second.ACK()
	r.requireDelivered(token, inflight.Progress{Messages: 2, Acked: 2})

	r.origin = inflight.Origin{}
	token = r.publish(numbered(1)...)
	window := output.Next()
	require.NotContains(t, window.Events()[0].Content.Fields, "clientIp", "an empty text is no address")
	require.NotContains(t, window.Events()[0].Content.Fields, "headers")
	window.ACK()
	r.requireDelivered(token, inflight.Progress{Messages: 1, Acked: 1})
	r.requireEmpty()
}

func TestFragmentedAcksMakeOneDelivery(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRig(t, output, 1, 1, "")
	token := r.publish(numbered(20)...)
	for range 19 {
		output.Next().ACK()
	}
	last := output.Next()
	require.Less(t, token.Progress().Acked, 20)
	last.ACK()
	r.requireDelivered(token, inflight.Progress{Messages: 20, Acked: 20})
	require.Equal(t, 20, r.count("rtbeat_events_acked_total"))
	r.requireEmpty()
}

func TestALongBatchDoesNotHoldUpAShortOne(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRig(t, output, 1, 10, "queue.mem: {flush.timeout: 0s, flush.min_events: 1, events: 50}")
	long := r.publish(numbered(3000)...)
	short := r.publish(`{"short":true}`)
	sent, position := 0, 0
	for sent < 3001 {
		window := output.Next()
		for _, e := range window.Events() {
			sent++
			if message, _ := e.Content.Fields["rxtxMsg"].(mapstr.M); message["short"] != nil {
				position = sent
			}
		}
		window.ACK()
	}
	require.Positive(t, position)
	require.LessOrEqual(t, position, 1001, "behind the first messages of the long one at most")
	r.requireDelivered(long, inflight.Progress{Messages: 3000, Acked: 3000})
	r.requireDelivered(short, inflight.Progress{Messages: 1, Acked: 1})
	r.requireEmpty()
}

func TestOneAckMayResolveManyBatches(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRig(t, output, 1, 100, "queue.mem: {flush.timeout: 1h, flush.min_events: 30, events: 100}")
	tokens := make([]*inflight.BatchAck, 10)
	for i := range tokens {
		tokens[i] = r.publish(numbered(3)...)
	}
	window := output.Next() // the queue held the events back until it was full
	require.Len(t, window.Events(), 30)
	window.ACK()
	for _, token := range tokens {
		r.requireDelivered(token, inflight.Progress{Messages: 3, Acked: 3})
	}
	r.requireEmpty()
}

func TestRetriedSplitAndCancelledWindowsAreAckedOnce(t *testing.T) {
	var calls atomic.Int64
	output := &pipelinetest.Output{OnBatch: func(b publisher.Batch) {
		switch n := len(b.Events()); calls.Add(1) {
		case 1:
			b.Retry()
		case 2:
			b.Cancelled()
		case 3:
			require.True(t, b.SplitRetry() || n == 1)
			if n == 1 {
				b.ACK()
			}
		case 4:
			b.RetryEvents(b.Events()[n/2:]) // the first half is done
		default:
			b.ACK()
		}
	}}
	r := newRig(t, output, 1, 16, "")
	token := r.publish(numbered(50)...)
	r.requireDelivered(token, inflight.Progress{Messages: 50, Acked: 50})
	require.Equal(t, 50, r.count("rtbeat_events_acked_total"))
	r.requireEmpty()
}

// libbeat retries guaranteed events without end: many failures lose nothing.
func TestManyFailuresLoseNothing(t *testing.T) {
	var failures atomic.Int64
	output := &pipelinetest.Output{OnBatch: func(b publisher.Batch) {
		if failures.Add(1) <= 30 {
			b.Retry()
			return
		}
		b.ACK()
	}}
	r := newRig(t, output, 1, 16, "")
	r.requireDelivered(r.publish(numbered(10)...), inflight.Progress{Messages: 10, Acked: 10})
	r.requireEmpty()
}

func TestFilteredEventsAreCountedAtEachPosition(t *testing.T) {
	const drop, keep = `{"label":"drop"}`, `{"label":"keep"}`
	for name, messages := range map[string][]string{
		"head":   {drop, drop, keep, keep},
		"tail":   {keep, keep, drop, drop},
		"middle": {keep, drop, drop, keep},
		"all":    {drop, drop},
		"none":   {keep},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &pipelinetest.Output{OnBatch: ackAll}, 1, 10,
				`processors: [{drop_event.when.equals.rxtxMsg.label: drop}]`)
			filtered := strings.Count(strings.Join(messages, ""), "drop")
			r.requireDelivered(r.publish(messages...), inflight.Progress{Messages: len(messages), Acked: len(messages), Filtered: filtered})
			require.Equal(t, filtered, r.count("rtbeat_events_filtered_total"))
			r.requireEmpty()
		})
	}
}

// A batch of filtered events alone does not wait for an acknowledgement of other events, and libbeat keeps no event of it.
func TestAFilteredBatchNeedsNoAcknowledgement(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRig(t, output, 1, 10, `processors: [{drop_event.when.equals.rxtxMsg.label: drop}]`)
	kept := r.publish(`{"label":"keep"}`)
	window := output.Next()
	filtered := func() weak.Pointer[inflight.BatchAck] {
		token := r.publish(`{"uuid":"a","label":"drop"}`, `{"label":"drop"}`)
		r.requireDelivered(token, inflight.Progress{Messages: 2, Acked: 2, Filtered: 2})
		return weak.Make(token)
	}()
	require.Zero(t, r.count("rtbeat_events_acked_total"))
	require.Zero(t, r.registry.DedupeEntries(), "a filtered message is not deduped")
	require.Eventually(t, func() bool {
		runtime.GC()
		return filtered.Value() == nil
	}, patience, time.Millisecond, "libbeat keeps the batch")
	window.ACK()
	r.requireDelivered(kept, inflight.Progress{Messages: 1, Acked: 1})
	require.Equal(t, 1, r.count("rtbeat_events_acked_total"))
	require.Equal(t, 2, r.count("rtbeat_events_filtered_total"))
	r.requireEmpty()
}

// A processor may look at the request: a message that is filtered for one sender is not deduped for another.
func TestAMessageFilteredForOneSenderIsDeliveredForAnother(t *testing.T) {
	const message = `{"uuid":"a"}`
	output := &pipelinetest.Output{}
	r := newRig(t, output, 1, 10, `processors: [{drop_event.when.equals.clientIp: 192.0.2.7}]`)
	one := r.publish(message)
	r.requireDelivered(one, inflight.Progress{Messages: 1, Acked: 1, Filtered: 1})

	r.origin.ClientIP = "192.0.2.8"
	other := r.publish(message)
	window := output.Next()
	require.Equal(t, "192.0.2.8", window.Events()[0].Content.Fields["clientIp"])
	window.ACK()
	r.requireDelivered(other, inflight.Progress{Messages: 1, Acked: 1})
	r.requireEmpty()
}

// libbeat's reporter says how many events of several batches were filtered, not which. Each batch must get its own count.
func TestEachBatchHasItsOwnFilteredCount(t *testing.T) {
	r := newRig(t, &pipelinetest.Output{OnBatch: ackAll}, 2, 7,
		`processors: [{drop_event.when.equals.rxtxMsg.label: drop}]`)
	type expected struct {
		token    *inflight.BatchAck
		filtered int
	}
	var batches []expected
	for i := range 400 {
		messages := make([]string, 4)
		for j := range messages {
			messages[j] = `{"label":"keep"}`
			if j < i%5 {
				messages[j] = `{"label":"drop"}`
			}
		}
		batches = append(batches, expected{r.publish(messages...), i % 5})
	}
	for _, b := range batches {
		r.requireDelivered(b.token, inflight.Progress{Messages: 4, Acked: 4, Filtered: b.filtered})
	}
	r.requireEmpty()
}

// The id of a document is that of the message's bytes, with dedupe and without, or its uuid, or none.
func TestTheDocumentID(t *testing.T) {
	long := strings.Repeat("x", 512)
	messages := []string{`{"uuid":"m-1","n":1}`, `{"uuid":"m-1","n":2}`, `{"uuid":""}`, `{"uuid":7}`, `{"uuid":true}`, `{"uuid":"` + long + `"}`, `{"uuid":"` + long + `x"}`}
	// $ printf '{"uuid":"m-1","n":1}' | sha256sum | head -c 32 | xxd -r -p | basenc --base64url | tr -d =
	content := []any{"wRVbsSZRpFh0MFFrseUG1w", "BvIZR5a8jrs47aeWGbsL1Q", nil, "0jPwnZzK8-NBtkplnG603Q", nil, "FGqNHkt-3u6LiUpx2f9LPg", "8QqghGzJuZDPKYP5eZC8sQ"}
	for name, tt := range map[string]struct {
		id       inflight.DocumentID
		registry inflight.Settings
		want     []any
	}{
		"content":                {inflight.ContentID, inflight.Settings{Dedupe: dedupe.Settings{Enabled: true}, DocumentID: inflight.ContentID}, content},
		"content without dedupe": {inflight.ContentID, inflight.Settings{DocumentID: inflight.ContentID}, content},
		"uuid":                   {inflight.UUIDID, inflight.Settings{Dedupe: dedupe.Settings{Enabled: true}}, []any{"m-1", "m-1", nil, "7", nil, long, nil}}, // Elasticsearch takes 512 bytes
		"none":                   {inflight.NoID, inflight.Settings{Dedupe: dedupe.Settings{Enabled: true}}, make([]any, len(messages))},
	} {
		t.Run(name, func(t *testing.T) {
			output := &pipelinetest.Output{}
			r := newRigWith(t, output, 1, 10, "", tt.id, tt.registry)
			token := r.publish(messages...)
			var ids []any
			for len(ids) < len(messages) {
				window := output.Next()
				for _, event := range window.Events() {
					ids = append(ids, event.Content.Meta["_id"])
				}
				window.ACK()
			}
			require.Equal(t, tt.want, ids)
			r.requireDelivered(token, inflight.Progress{Messages: len(messages), Acked: len(messages)})
		})
	}
}

// The real pipeline acknowledges one event for all its senders.
func TestRetriesAreOneEvent(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRig(t, output, 2, 10, "queue.mem: {flush.timeout: 1h, flush.min_events: 2, events: 100}")
	first := r.publish(`{"uuid":"a"}`, `{"uuid":"b"}`)
	window := output.Next() // the queue held it back until it had both
	require.Len(t, window.Events(), 2)
	first.Withdraw()
	retry := r.publish(`{"uuid":"b"}`, `{"uuid":"a"}`, `{"uuid":"b"}`)
	require.Equal(t, 3, retry.Progress().Deduped())
	window.ACK()
	ctx, cancel := r.patient()
	defer cancel()
	require.NoError(t, retry.Wait(ctx))
	r.requireDelivered(r.publish(`{"uuid":"a"}`), inflight.Progress{Messages: 1, Acked: 1, DedupedDelivered: 1})
	r.requireEmpty()
	require.Equal(t, 2, r.count("rtbeat_events_acked_total"))
}

// The wait of a batch is observed once, however often the batch is taken.
func TestTheWaitOfABatchIsObservedOnce(t *testing.T) {
	release := make(chan struct{})
	output := &pipelinetest.Output{OnBatch: func(b publisher.Batch) { <-release; b.ACK() }}
	r := newRig(t, output, 1, 100, "queue.mem: {events: 100, flush.min_events: 50}")
	var tokens []*inflight.BatchAck
	for range 3 {
		tokens = append(tokens, r.publish(numbered(2*inflight.MaxRun)...))
	}
	close(release) // libbeat's queue was full: all three batches gave way to each other
	for _, token := range tokens {
		r.requireDelivered(token, inflight.Progress{Messages: 2 * inflight.MaxRun, Acked: 2 * inflight.MaxRun})
	}
	require.Equal(t, 3, r.count("rtbeat_publish_wait_seconds"))
	r.requireEmpty()
}
