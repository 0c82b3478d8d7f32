//go:build abuse

package abuse

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

const (
	// fillTime is the time for which the limit is kept full. It is longer than timeout, so that it includes batches answered 504.
	fillTime = 7 * time.Second
	// The number of senders is enough to fill the limit twice, within bounds. They post the same body at the same time.
	fewest, most = 8, 400
)

// TestMemory fills rtbeat with one kind of body, with a sink that acknowledges nothing, and measures the memory of a byte in
// flight.
func TestMemory(t *testing.T) {
	var table strings.Builder
	table.WriteString("| body | bytes | in flight | base MiB | peak MiB | factor | answers |\n|---|---|---|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(bodies)) {
		t.Run(name, func(t *testing.T) { table.WriteString(fillUp(t, name)) })
	}
	fmt.Fprint(os.Stderr, "\n", table.String())
}

func fillUp(t *testing.T, name string) string {
	t.Helper()
	b := bodies[name](fullBody)
	request := b.request()
	r := start(t, attack{})
	r.sink.SetPolicy(lumbersink.Never())
	base := r.figures().peak

	var answers tally
	fillers := min(max(2*32*mib/b.plain(), fewest), most)
	ended := time.Now().Add(fillTime)
	done := make(chan struct{})
	var inFlight float64
	go func() {
		defer close(done)
		for time.Now().Before(ended) {
			if m, err := r.Get("/metrics").Samples(); err == nil {
				inFlight = max(inFlight, m["rtbeat_in_flight_bytes"])
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	finished := make(chan struct{}, fillers)
	for range fillers {
		go func() {
			for time.Now().Before(ended) {
				code := exchange(r.Addr, request)
				answers.add(code)
				if code == http.StatusServiceUnavailable {
					time.Sleep(20 * time.Millisecond)
				}
			}
			finished <- struct{}{}
		}()
	}
	for range fillers {
		<-finished
	}
	<-done
	peak, isKilled := r.figures().peak, r.cgroup.killed()
	factor := float64(peak-base) / (32 << 20)
	line := fmt.Sprintf("| %s | %d | %.1f MiB | %d | %d | %.1f | %v |\n", name, len(b.bytes), inFlight/mib, base>>20, peak>>20, factor, answers.String())
	t.Log(line)
	require.False(t, isKilled, "killed at the memory limit")
	require.Positive(t, peak, "rtbeat has ended")
	require.LessOrEqual(t, peak, int64(memoryBound))
	return line
}
