package status

import (
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/intake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a page over numbers that a test sets.
type rig struct {
	t         *testing.T
	snapshots atomic.Int64 // how many were taken
	mu        sync.Mutex
	numbers   Numbers
	status    *Status
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, numbers: Numbers{
		Phase: "serving", InFlight: InFlight{Bytes: Bounded{Limit: 1000}}, AckDurations: Histogram{Bounds: []float64{.1, 1, 10}, Counts: make([]uint64, 4)},
		CertificateExpiry: Number(math.NaN()),
		Sources:           []intake.SourceCounts{{Name: "in", Path: "/in"}},
	}}
	for _, answer := range []string{
		"400 malformed_json sender", "401 unauthorized sender", "413 body_too_large sender", "499 client_gone sender", "500 internal_error rtbeat",
		"502 output_rejected output", "503 in_flight_limit output", "503 output_stalled output", "503 queue_failed rtbeat", "503 queue_full output",
		"503 stopping nobody", "504 ack_timeout output",
	} {
		row := strings.Fields(answer)
		r.numbers.Failures = append(r.numbers.Failures, intake.Failure{What: "answer", Code: row[0], Reason: row[1], Fault: intake.Fault(row[2])})
	}
	r.status = New(Settings{
		Snapshot: r.snapshot, Ack: "delivered", Timeout: 5 * time.Second, Configuration: []config.Setting{{Key: "rtbeat.port", Value: "8081"}},
	})
	return r
}

func (r *rig) snapshot() Numbers {
	r.snapshots.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.numbers
	n.Failures, n.AckDurations.Counts = slices.Clone(n.Failures), slices.Clone(n.AckDurations.Counts)
	return n
}

func (r *rig) locked(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *rig) set(n *Number, value Number) { r.locked(func() { *n = value }) }
func (r *rig) add(n *Number, value Number) { r.locked(func() { *n += value }) }
func (r *rig) is(b *bool, value bool)      { r.locked(func() { *b = value }) }
func (r *rig) inPhase(now string)          { r.locked(func() { r.numbers.Phase = now }) }

// durable switches to durable mode, with an empty queue.
func (r *rig) durable() {
	r.status.recorder.settings.Ack = persisted
	r.locked(func() { r.numbers.Disk.Files = Bounded{100, 10000} })
}

// answer counts n answers.
func (r *rig) answer(code, reason string, n float64) {
	r.t.Helper()
	r.locked(func() {
		i := slices.IndexFunc(r.numbers.Failures, func(f intake.Failure) bool { return f.Code == code && f.Reason == reason })
		require.GreaterOrEqual(r.t, i, 0, reason)
		r.numbers.Failures[i].Total += n
	})
}

// answered counts a batch that was answered 200 after some seconds.
func (r *rig) answered(after float64) {
	r.locked(func() {
		h := r.numbers.AckDurations
		for i := range h.Counts {
			if i == len(h.Bounds) || after <= h.Bounds[i] {
				h.Counts[i]++
			}
		}
	})
}

func (r *rig) get(path string) *httptest.ResponseRecorder {
	r.t.Helper()
	w := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://127.0.0.1:9090"+path, http.NoBody)
	r.status.ServeHTTP(w, req)
	require.Equal(r.t, http.StatusOK, w.Code)
	return w
}

// report returns status.json.
func (r *rig) report() Report {
	r.t.Helper()
	var report Report
	require.NoError(r.t, json.Unmarshal(r.get("/status.json").Body.Bytes(), &report))
	return report
}

// leaves returns the paths of all values in decoded JSON. Of a list it takes the first element.
func leaves(prefix string, value any) []string {
	switch v := value.(type) {
	case map[string]any:
		var paths []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			paths = append(paths, leaves(prefix+"."+key, v[key])...)
		}
		return paths
	case []any:
		if len(v) > 0 {
			if _, isGroup := v[0].(map[string]any); isGroup {
				return leaves(prefix+"[]", v[0])
			}
		}
		return []string{prefix + "[]"}
	default:
		return []string{prefix}
	}
}

func isUnknown(n Number) bool { return math.IsNaN(float64(n)) }

// UnmarshalJSON reads the output of MarshalJSON.
func (n *Number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	v, err := strconv.ParseFloat(string(text), 64)
	*n = Number(v)
	return err
}
