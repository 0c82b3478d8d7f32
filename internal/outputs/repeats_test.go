package outputs

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/beats/v7/libbeat/publisher/pipeline"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// lines is a logger.
type lines struct{ texts []string }

func (l *lines) Errorw(msg string, keysAndValues ...any) {
	l.texts = append(l.texts, fmt.Sprint(append([]any{msg}, keysAndValues...)...))
}

// windowOf makes a window of events with these uuids.
func windowOf(uuids ...string) (events []publisher.Event) {
	for _, uuid := range uuids {
		events = append(events, publisher.Event{Content: beat.Event{Fields: mapstr.M{"rxtxMsg": mapstr.M{"uuid": uuid, "secret": "s3cr3t"}}}})
	}
	return events
}

func TestAWindowThatIsSentAgainAndAgainIsReported(t *testing.T) {
	synctest.Test(t, testRepeats)
}

func testRepeats(t *testing.T) {
	t.Helper()
	log := &lines{}
	r := newRepeats(log)
	o := logstashObserver{outputs.NewNilObserver(), &logstashClient{repeats: r}}
	bad, other := windowOf("first", "middle", "last"), windowOf("other")

	for i := range repeatsToReport {
		r.sent(bad)
		r.sent(other[:1])
		require.Equal(t, i, r.count())
		require.Empty(t, log.texts)
		o.AckedEvents(0) // as an output reports a window that it failed to send
		o.ReadError(os.ErrClosed)
	}
	r.sent(bad)
	require.Equal(t, repeatsToReport, r.count())
	require.Len(t, log.texts, 1)
	require.Contains(t, log.texts[0], "repeats3events3first_uuidfirstlast_uuidlast")
	require.NotContains(t, log.texts[0], "s3cr3t")

	r.sent(bad)
	r.sent(other)
	require.Len(t, log.texts, 1, "once a minute")
	time.Sleep(time.Minute)
	r.sent(bad)
	require.Len(t, log.texts, 2)
	require.Equal(t, repeatsToReport+2, r.count())

	o.AckedEvents(1)
	require.Zero(t, r.count())
	time.Sleep(time.Minute)
	for range repeatsToReport {
		r.sent(bad)
	}
	require.Len(t, log.texts, 2, "the count was reset")
	o.WriteError(fmt.Errorf("write: %w", os.ErrDeadlineExceeded))
	require.Zero(t, r.count())
	for range repeatsToReport {
		r.sent(bad)
		o.ReadError(fmt.Errorf("read: %w", os.ErrDeadlineExceeded))
	}
	require.Len(t, log.texts, 2, "a stalled Logstash")
}

// Usually all windows are different.
func TestWindowsThatAreNotSentAgainAreNoRepeats(t *testing.T) {
	log := &lines{}
	r := newRepeats(log)
	for i := range 100 {
		r.sent(windowOf("same", fmt.Sprint(i)))
	}
	r.sent(nil)
	require.Zero(t, r.count())
	require.Empty(t, log.texts)
}

func TestAnEventIsNamedByItsUUIDOrItsID(t *testing.T) {
	for want, content := range map[string]beat.Event{
		"u":                             {Fields: mapstr.M{"rxtxMsg": mapstr.M{"uuid": "u"}}, Meta: mapstr.M{"_id": "i"}},
		"plain":                         {Fields: mapstr.M{"rxtxMsg": map[string]any{"uuid": "plain"}}},
		"i":                             {Fields: mapstr.M{"rxtxMsg": mapstr.M{"uuid": 5}}, Meta: mapstr.M{"_id": "i"}},
		"moved":                         {Fields: mapstr.M{"message": "x"}, Meta: mapstr.M{"_id": "moved"}},
		"none":                          {},
		strings.Repeat("x", maxIDBytes): {Meta: mapstr.M{"_id": strings.Repeat("x", 1<<20)}},
	} {
		require.Equal(t, want, idOf(&publisher.Event{Content: content}))
	}
	cut := idOf(&publisher.Event{Content: beat.Event{Meta: mapstr.M{"_id": "x" + strings.Repeat("é", 100)}}})
	require.Equal(t, "x"+strings.Repeat("é", 63), cut)
}

// shuttle sends one window as libbeat's worker does, until the output has it or stop returns true.
func shuttle(t *testing.T, client outputs.Client, sent []publisher.Event, stop func() bool) {
	t.Helper()
	var once sync.Once
	done := make(chan struct{})
	again := make(chan publisher.Batch, 1)
	again <- pipeline.NewBatchForTesting(sent, func(b publisher.Batch) { again <- b }, func() { once.Do(func() { close(done) }) })
	for deadline := time.After(30 * time.Second); !stop(); {
		select {
		case batch := <-again:
			require.NoError(t, client.Publish(t.Context(), batch))
		case <-done:
			return
		case <-time.After(time.Millisecond):
		case <-deadline:
			require.Fail(t, "the window has not ended")
		}
	}
}

// The clients of libbeat, over TCP.
func TestRepeatsOfTheLogstashOutput(t *testing.T) {
	for _, pipelining := range []int{0, 2} {
		for name, tt := range map[string]struct {
			policy  lumbersink.Policy
			key     int // bytes of a key in the window
			repeats bool
			enough  func(sink *lumbersink.Sink) bool
		}{
			"an event that Logstash cannot read": {key: 60_000, repeats: true},
			"events that it can read":            {key: 50_000},
			"a stalled Logstash":                 {key: 10, policy: lumbersink.Never(), enough: func(s *lumbersink.Sink) bool { return s.Received() >= 3*(repeatsToReport+1) }},
			"one connection that is lost":        {key: 10, policy: lumbersink.CutAfter(1)},
		} {
			t.Run(fmt.Sprintf("%s, pipelining %d", name, pipelining), func(t *testing.T) {
				sink, err := lumbersink.Listen("127.0.0.1:0", lumbersink.WithPolicy(tt.policy))
				require.NoError(t, err)
				t.Cleanup(func() { _ = sink.Close() }) // it fails at the long key
				group, _ := loadLogstash(t, map[string]any{
					"hosts": []string{sink.Addr()}, "pipelining": pipelining, "timeout": "100ms", "backoff.init": "1ms", "backoff.max": "1ms",
				})
				window := windowOf("first", "middle", "last")
				window[1].Content.Fields[strings.Repeat("k", tt.key)] = 1

				most := 0
				shuttle(t, group.Clients[0], window, func() bool {
					most = max(most, WindowRepeats())
					return most >= repeatsToReport || tt.enough != nil && tt.enough(sink)
				})
				if tt.repeats {
					require.Equal(t, repeatsToReport, most)
					require.ErrorContains(t, sink.Err(), "cannot be read by Logstash")
					require.Zero(t, sink.Acked())
					return
				}
				require.Less(t, most, repeatsToReport)
				require.NoError(t, sink.Err())
				if tt.enough == nil {
					require.Equal(t, 3, sink.Acked())
					require.Zero(t, WindowRepeats())
				}
			})
		}
	}
}

// No window is sent to a Logstash that is down.
func TestAClosedPortIsNoRepeat(t *testing.T) {
	sink, err := lumbersink.Listen("127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, sink.Close())
	group, _ := loadLogstash(t, map[string]any{"hosts": []string{sink.Addr()}, "backoff.init": "1ms", "backoff.max": "1ms"})
	attempts := 0
	shuttle(t, group.Clients[0], windowOf("first"), func() bool { attempts++; return attempts > 3*repeatsToReport })
	require.Zero(t, WindowRepeats())
}

func BenchmarkSent(b *testing.B) {
	r := newRepeats(&lines{})
	windows := make([][]publisher.Event, 64)
	for i := range windows {
		windows[i] = windowOf("a", "b")
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.sent(windows[i%len(windows)])
		r.reset()
	}
}
