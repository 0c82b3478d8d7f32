//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// prompt is "at once" on a loaded machine. The delays in the tests are longer.
const prompt = 3 * time.Second

func requireDelivered(t testing.TB, a harness.Answer, messages int) {
	t.Helper()
	require.NoError(t, a.Err)
	require.Equal(t, http.StatusOK, a.Code, "%s", a)
	require.Equal(t, "OK", a.Body.Status, "%s", a)
	require.Equal(t, "delivered", a.Body.Ack, "%s", a)
	require.Equal(t, messages, a.Body.Messages, "%s", a)
}

func requireTimeout(t testing.TB, a harness.Answer, messages int) {
	t.Helper()
	require.NoError(t, a.Err)
	require.Equal(t, http.StatusGatewayTimeout, a.Code, "%s", a)
	require.Equal(t, "TIMEOUT", a.Body.Status, "%s", a)
	require.Equal(t, "ack_timeout", a.Body.Reason, "%s", a)
	require.Equal(t, messages, a.Body.Messages, "%s", a)
	require.NotEmpty(t, a.Header.Get("Retry-After"), "%s", a)
}

// Messages that a careless decoder changes are delivered, and acknowledged.
func TestAckAfterDelivery(t *testing.T) {
	t.Parallel()
	messages := map[string]string{
		"2^53+1":            `"payload":{"n":9007199254740993,"negative":-9007199254740993}`,
		"64 bits":           `"payload":{"max":18446744073709551615,"min":-9223372036854775808}`,
		"null":              `"payload":{"nothing":null,"in":{"there":null},"list":[null,1]}`,
		"dotted key":        `"payload":{"a.b.c":1,"a":{"b":{"c":2}}}`,
		"empty key":         `"payload":{"":"empty"}`,
		"unicode":           `"payload":{"snow":"☃","face":"😀","escaped":"\u00e9\ud83d\ude00","nul":"\u0000","html":"<&>"}`,
		"nested":            `"payload":{"l":[[{"d":[{"e":{}}]}],[],""]}`,
		"unknown fields":    `"payload":{},"extra":{"kept":true},"@timestamp":"mine","type":"mine","@metadata":{"_id":"mine"}`,
		"decimals":          `"payload":{"tenth":0.1,"small":-2.5}`,
		"no payload at all": `"seq":"1"`,
		"payload no object": `"payload":[1,"two",false]`,
	}
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr()})
	l := harness.NewLedger(t)

	sent := time.Now()
	for name, fields := range messages {
		one := harness.Batch{{ID: name, Raw: json.RawMessage(fmt.Sprintf(`{"uuid":%q,%s}`, name, fields))}}
		requireDelivered(t, l.Post(t.Context(), b.Addr, one), 1)
	}
	all := harness.NewBatch("together", 50)
	requireDelivered(t, l.Post(t.Context(), b.Addr, all), len(all))

	// The ledger compares the events with the sent messages.
	l.CheckOnce(t, sink)
	for _, e := range sink.Events() {
		var event struct {
			Timestamp time.Time `json:"@timestamp"`
			Type      string    `json:"type"`
			ClientIP  string    `json:"clientIp"`
		}
		require.NoError(t, json.Unmarshal(e.Raw, &event), "%s", e.Raw)
		require.WithinRange(t, event.Timestamp, sent.Truncate(time.Millisecond), time.Now(), "@timestamp is the receipt")
		require.Equal(t, "rtbeat", event.Type)
		require.Equal(t, "127.0.0.1", event.ClientIP)
	}
}

// A number beyond 64 bits arrives as a string of its digits: a rounded number would be wrong.
func TestNumbersBeyond64BitsKeepTheirDigits(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr()})

	a := harness.NewClient(t).Post(t.Context(), b.Addr, []byte(`{"messages":[{"uuid":"huge","payload":`+
		`{"i":18446744073709551616,"d":0.12345678901234567890123}}]}`))
	requireDelivered(t, a, 1)

	_, message, err := harness.MessageOf(sink.Events()[0].Raw)
	require.NoError(t, err)
	require.JSONEq(t, `{"uuid":"huge","payload":{"i":"18446744073709551616","d":"0.12345678901234567890123"}}`, string(message))
}

func TestAnswerWaitsForTheAck(t *testing.T) {
	t.Parallel()
	const delay = 800 * time.Millisecond
	sink := harness.StartSink(t, lumbersink.Delay(delay))
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr()})
	l := harness.NewLedger(t)

	batch := harness.NewBatch("late", 3)
	a := l.Post(t.Context(), b.Addr, batch)

	requireDelivered(t, a, len(batch))
	require.GreaterOrEqual(t, a.Took(), delay)
	l.CheckOnce(t, sink)
}

// A batch sent in many windows has as many acks. Only the last ack may answer the batch.
func TestFragmentedAcksMakeOneAnswer(t *testing.T) {
	t.Parallel()
	const messages = 20
	// The delay leaves time for an answer between the first and the last ack.
	sink := harness.StartSink(t, lumbersink.Delay(20*time.Millisecond))
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Output: map[string]any{"bulk_max_size": 1}})
	l := harness.NewLedger(t)

	batch := harness.NewBatch("fragment", messages)
	requireDelivered(t, l.Post(t.Context(), b.Addr, batch), messages)

	l.CheckOnce(t, sink)
	// A window is acked as a whole, so each time of an ack is a window.
	windows := make(map[time.Time]int)
	for _, e := range sink.Events() {
		windows[e.Acked]++
	}
	require.GreaterOrEqual(t, len(windows), messages, "acked windows")
}

// Many senders wait for one stalled sink, with their batches in one window. One ack answers all of them.
func TestOneAckAnswersSeveralBatches(t *testing.T) {
	t.Parallel()
	const senders, messages = 8, 5
	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, harness.Settings{
		Sink:   sink.Addr(),
		Rtbeat: map[string]any{"timeout": 20},
		// Long enough for all senders, so that their batches are sent together.
		Queue: map[string]any{"events": 4096, "flush.min_events": 2048, "flush.timeout": "1500ms"},
	})
	l := harness.NewLedger(t)

	var answers []<-chan harness.Answer
	for i := range senders {
		answers = append(answers, l.Go(t.Context(), b.Addr, harness.NewBatch(fmt.Sprintf("sender-%d", i), messages)))
	}
	harness.Arrived(t, sink, senders*messages)
	for _, answer := range answers {
		require.Empty(t, answer, "no answer before the ack")
	}

	harness.RecoverSink(sink)
	for _, answer := range answers {
		requireDelivered(t, <-answer, messages)
	}
	l.CheckOnce(t, sink)
}
