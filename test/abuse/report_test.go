//go:build abuse

package abuse

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// row is the result of an attack.
type row struct {
	attack        attack
	usual, during window
	peak          int64
	cpu           float64 // percent of a core
	killed        bool
	recovered     time.Duration
	said          string
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1000) }

func (r row) String() string {
	ratio := func(a, b time.Duration) string { return fmt.Sprintf("%.1f", b.Seconds()/max(a.Seconds(), 1e-9)) }
	recovered := "never"
	if r.recovered > 0 {
		recovered = r.recovered.Round(100 * time.Millisecond).String()
	}
	var failed []string
	for _, why := range slices.Sorted(maps.Keys(r.during.failed)) {
		failed = append(failed, fmt.Sprintf("%d × %s", r.during.failed[why], why))
	}
	if failed == nil {
		failed = []string{"none"}
	}
	peak := fmt.Sprintf("%d", r.peak>>20)
	if r.killed {
		peak = "KILLED " + peak
	}
	return fmt.Sprintf("| %s | %s → %s | %s → %s | %s → %s | %s, %s, %s | %d | %.60s | %s | %.0f | %s | %s; %s |", r.attack.name,
		ms(r.usual.p50), ms(r.during.p50), ms(r.usual.p90), ms(r.during.p90), ms(r.usual.p99), ms(r.during.p99),
		ratio(r.usual.p50, r.during.p50), ratio(r.usual.p90, r.during.p90), ratio(r.usual.p99, r.during.p99),
		r.during.answers, strings.Join(failed, ", "), peak, r.cpu, recovered, r.attack.how, strings.ReplaceAll(r.said, "\n", "; "))
}

// judge fails the test if good senders had a disadvantage.
func (r row) judge(t *testing.T) {
	t.Helper()
	require.LessOrEqual(t, r.peak, int64(memoryBound), "peak of resident memory")
	require.Positive(t, r.recovered, "the attack's connections, goroutines or bytes remain after %s", recovery)
	for why, n := range r.during.failed {
		require.Contains(t, r.attack.refused, why, "%d good requests were refused", n)
	}
	if len(r.attack.refused) > 0 {
		return
	}
	most50, most90 := slower*r.usual.p50+slack, slower*r.usual.p90+timeslices
	if r.attack.valid {
		most50, most90 = most50+queueTime, most90+queueTime
	}
	require.LessOrEqual(t, r.during.p50, most50, "median latency of good senders")
	require.LessOrEqual(t, r.during.p90, most90, "latency of nine in ten good requests")
}

// table collects the rows.
type table struct {
	mu   sync.Mutex
	rows []string
}

var report table

func (t *table) add(r row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = append(t.rows, r.String())
}

func (t *table) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return "| attack | p50 ms | p90 ms | p99 ms | ratios | good 200 | good refused | peak MiB | CPU % | recovered | how |\n" +
		"|---|---|---|---|---|---|---|---|---|---|---|\n" + strings.Join(t.rows, "\n") + "\n"
}
