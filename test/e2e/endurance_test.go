//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// stallEnv is the length of the long stall, as a Go duration.
const stallEnv = "RTBEAT_E2E_STALL"

const (
	stallSenders  = 16
	stallMessages = 500
	// retryPause is the senders' interval between two attempts, as in rxtx.
	retryPause = 100 * time.Millisecond
)

// weigh is a body's charge against max_in_flight_bytes.
func weigh(t testing.TB, body []byte) (weight int) {
	t.Helper()
	b, err := batch.Decode(body, batch.Options{})
	require.NoError(t, err)
	for _, m := range b.Messages {
		weight += m.Weight
	}
	return weight
}

func stallTime(t testing.TB) time.Duration {
	t.Helper()
	text := os.Getenv(stallEnv)
	if text == "" {
		return 30 * time.Second
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err, stallEnv)
	return d
}

// level has the maximum of each figure over a period.
type level struct {
	goroutines, memory, inFlight float64
}

func (l *level) sample(m map[string]float64) {
	l.goroutines = max(l.goroutines, m["go_goroutines"])
	l.memory = max(l.memory, m["process_resident_memory_bytes"])
	l.inFlight = max(l.inFlight, m["rtbeat_in_flight_bytes"])
}

// The sink stalls and every sender retries: the process must come to rest, and recover by itself.
func TestLongStallIsBounded(t *testing.T) {
	harness.Long(t)
	stall := stallTime(t)
	batches := make([]harness.Batch, stallSenders)
	for i := range batches {
		batches[i] = harness.NewBatch(fmt.Sprintf("storm-%d", i), stallMessages)
	}
	oneBatch := weigh(t, batches[stallSenders-1].Body())
	// The first attempts fit into the limit, a second set would not: the retries must cost next to nothing.
	limit := oneBatch * (stallSenders + 4)

	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, harness.Settings{
		Sink:   sink.Addr(),
		Rtbeat: map[string]any{"timeout": 1, "max_in_flight_bytes": limit},
	})
	l := harness.NewLedger(t)

	var answers harness.Tally
	var senders sync.WaitGroup
	for _, own := range batches {
		senders.Go(func() {
			for t.Context().Err() == nil {
				a := l.Post(t.Context(), b.Addr, own)
				answers.Add(a)
				if a.Code == http.StatusOK {
					return
				}
				harness.Pause(t.Context(), retryPause)
			}
		})
	}

	var levels [3]level
	for i := range levels {
		end := time.Now().Add(stall / time.Duration(len(levels)))
		for time.Now().Before(end) {
			levels[i].sample(b.Metrics())
			harness.Pause(t.Context(), 250*time.Millisecond)
		}
		t.Logf("third %d: %.0f goroutines, %.1f MB resident, %.0f bytes in flight of %d; answers %v",
			i+1, levels[i].goroutines, levels[i].memory/1e6, levels[i].inFlight, limit, answers.Counts())
	}
	first, last := levels[0], levels[2]

	// During the stall all answers were 503 and 504.
	codes := answers.Counts()
	require.Greater(t, codes["504"], stallSenders, "retries wait as the first attempts do")
	delete(codes, "503")
	require.Len(t, codes, 1, "answers during the stall: %v", codes)

	// At rest, each sender's open request has one or two goroutines. A leak of one at each 504 would be a dozen a second, 120 in
	// the last third.
	require.LessOrEqual(t, last.goroutines, first.goroutines+stallSenders, "goroutines")
	// A batch of 500 events is about half a megabyte as decoded values. A leak at each 504 took 110 MB in 15 s when it was tried.
	// The heap is collected when it has doubled, so it may still rise by a few tens.
	require.LessOrEqual(t, last.memory, first.memory+64e6, "resident memory")
	require.LessOrEqual(t, max(first.inFlight, last.inFlight), float64(limit+oneBatch), "in-flight bytes")

	harness.RecoverSink(sink)
	harness.Await(t, 30*time.Second, "a 200 for every sender", func() bool { return answers.Counts()["200"] == stallSenders })
	senders.Wait()
	for _, gauge := range []string{"rtbeat_in_flight_bytes", "rtbeat_in_flight_events", "rtbeat_in_flight_requests"} {
		harness.Await(t, prompt, gauge+" at zero", func() bool { return b.Metric(gauge) == 0 })
	}
	l.CheckOnce(t, sink)
}
