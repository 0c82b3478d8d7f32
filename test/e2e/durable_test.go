//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// Durable mode: a 200 says that a batch is on the local disk. What was answered 200 arrives, whatever became of the
// process, the disk and Logstash in between.

// startDurable runs rtbeat with a disk queue of the least size that libbeat allows, and of the quickest retries.
func startDurable(t *testing.T, s harness.Settings, flags ...string) *harness.Beat {
	t.Helper()
	return harness.StartBeatArgs(t, s.Home, append([]string{"-c", s.WriteConfig(t, s.Home)}, durableFlags(flags...)...)...)
}

func durableFlags(flags ...string) []string {
	var args []string
	for _, f := range append([]string{
		"queue.disk.max_size=10MB", "queue.disk.retry_interval=100ms", "queue.disk.max_retry_interval=200ms",
		"rtbeat.max_body_bytes=256KiB", "rtbeat.timeout=2s", "output.logstash.backoff.init=100ms", "output.logstash.backoff.max=200ms",
	}, flags...) {
		args = append(args, "-E", f)
	}
	return args
}

func requirePersisted(t *testing.T, a harness.Answer, n int) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Code, "%s", a)
	require.Equal(t, "persisted", a.Body.Ack, "%s", a)
	require.Equal(t, n, a.Body.Messages, "%s", a)
}

// requireAllArrive waits until the sinks have each message that was answered 200, equal to what was sent.
func requireAllArrive(t *testing.T, l *harness.Ledger, sinks ...*lumbersink.Sink) (copies int) {
	t.Helper()
	promised := make(map[string]bool)
	for _, a := range l.Attempts() {
		for _, id := range a.IDs {
			if a.OK() {
				promised[id] = true
			}
		}
	}
	var missing int
	harness.Await(t, time.Minute, "what was answered 200", func() bool {
		arrived := make(map[string]int)
		for _, e := range harness.EventsOf(sinks...) {
			id, _, err := harness.MessageOf(e.Raw)
			require.NoError(t, err)
			arrived[id]++
		}
		missing, copies = 0, 0
		for id := range promised {
			if arrived[id] == 0 {
				missing++
			}
		}
		for _, n := range arrived {
			copies += n - 1
		}
		return missing == 0
	})
	// The other half of the contract holds in durable mode too; only the order of acknowledgement and answer is another.
	for _, v := range l.Violations(harness.EventsOf(sinks...)) {
		if !strings.HasPrefix(v.What, "false 200: answered ") && v.What != "false 200: never acknowledged" {
			require.Fail(t, v.String())
		}
	}
	return copies
}

func TestDurableAnswersDuringAnOutageAndSurvivesSIGKILL(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Refuse())
	s := harness.Settings{Sink: sink.Addr(), Home: t.TempDir()}
	b := startDurable(t, s)
	_, ok := b.Log.Find("durable mode: a 200 says")
	require.True(t, ok, "no warning that says what a 200 is worth")
	l := harness.NewLedger(t)

	payload := `{"n":[-129,-200,-256,-32769,-65536,9007199254740993,18446744073709551615,-0,1e+300,null,true],"e":{},"a":[],"":0}`
	refused := harness.Batch{{ID: "refused", Raw: json.RawMessage(`{"uuid":"refused","payload":` + payload + `}`)}}
	a := l.Post(t.Context(), b.Addr, refused)
	require.Equal(t, http.StatusBadRequest, a.Code, "%s: an empty key would cost other senders' events", a)
	for i := range 50 {
		batch := harness.NewBatch(fmt.Sprintf("outage-%d", i), 10)
		batch[0].Raw = json.RawMessage(fmt.Sprintf(`{"uuid":%q,"payload":%s}`, batch[0].ID, strings.Replace(payload, `,"":0`, `,"\u0000":"\u2028😀"`, 1)))
		requirePersisted(t, l.Post(t.Context(), b.Addr, batch), len(batch))
	}
	b.Kill()

	b = startDurable(t, s)
	requirePersisted(t, l.Post(t.Context(), b.Addr, harness.NewBatch("after", 10)), 10)
	harness.Pause(t.Context(), 2*time.Second) // more than the three attempts after which libbeat drops what is not guaranteed
	harness.RecoverSink(sink)
	requireAllArrive(t, l, sink)
	b.Stop()
}

// Numbers between -2147483649 and -4294967296 arrive with an exponent, and the same value.
func TestDurableKeepsEachNumber(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := startDurable(t, harness.Settings{Sink: sink.Addr(), Home: t.TempDir()})
	var numbers []string
	for bit := range uint(64) {
		for d := int64(-3); d <= 3; d++ {
			n := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bit), big.NewInt(d))
			numbers = append(numbers, n.String(), new(big.Int).Neg(n).String())
		}
	}
	sent := `{"uuid":"n","v":[` + strings.Join(numbers, ",") + `]}`
	a := harness.NewClient(t).Post(t.Context(), b.Addr, []byte(`{"messages":[`+sent+`]}`))
	requirePersisted(t, a, 1)
	harness.Arrived(t, sink, 1)
	_, got, err := harness.MessageOf(sink.Events()[0].Raw)
	require.NoError(t, err)
	var message struct{ V []json.RawMessage }
	require.NoError(t, json.Unmarshal(got, &message))
	require.Len(t, message.V, len(numbers))
	for i, want := range numbers {
		x, _ := new(big.Rat).SetString(want)
		y, ok := new(big.Rat).SetString(strings.Trim(string(message.V[i]), `"`))
		require.True(t, ok && x.Cmp(y) == 0, "%s arrived as %s", want, message.V[i])
	}
	b.Stop()
}

func TestDurableSurvivesKillsUnderLoad(t *testing.T) {
	const senders, messages, kills = 4, 25, 5
	sink := harness.StartSink(t, lumbersink.Delay(20*time.Millisecond))
	s := harness.Settings{Sink: sink.Addr(), Home: t.TempDir()}
	var addr atomic.Value
	b := startDurable(t, s, "queue.disk.segment_size=1MB")
	addr.Store(b.Addr)
	l := harness.NewLedger(t)

	var answers harness.Tally
	var stop atomic.Bool
	var running sync.WaitGroup
	for n := range senders {
		running.Go(func() {
			for i := 0; !stop.Load(); i++ {
				batch := harness.Padded(fmt.Sprintf("kill-%d-%d", n, i), messages, 300)
				a := l.Post(t.Context(), addr.Load().(string), batch)
				answers.Add(a)
				if a.Code != http.StatusOK {
					harness.Pause(t.Context(), retryPause)
				}
			}
		})
	}
	for kill := range kills {
		before := answers.Counts()["200"]
		harness.Await(t, harness.ArriveWithin, "some answers", func() bool { return answers.Counts()["200"] >= before+60 })
		if kill%2 == 0 {
			b.Kill()
		} else {
			b.Terminate()
			b.WaitExit(45 * time.Second)
		}
		b = startDurable(t, s, "queue.disk.segment_size=1MB")
		addr.Store(b.Addr)
	}
	stop.Store(true)
	running.Wait()
	copies := requireAllArrive(t, l, sink)
	t.Logf("answers: %v; %d copies after %d stops", answers.Counts(), copies, kills)
	b.Stop()
}

// The queue may stand in the output's section, too.
func TestDurableInTheOutputsSection(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	s := harness.Settings{Sink: sink.Addr(), Home: t.TempDir(), Output: map[string]any{"queue.disk.max_size": "1GB"}}
	b := harness.StartBeatArgs(t, s.Home, "-c", s.WriteConfig(t, s.Home))
	l := harness.NewLedger(t)
	requirePersisted(t, l.Post(t.Context(), b.Addr, harness.NewBatch("output", 3)), 3)
	requireAllArrive(t, l, sink)
	b.Stop()
}
