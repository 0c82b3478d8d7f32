package intake

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/metrics"
)

// health sends a GET to /livez or /readyz.
func (r *rig) health(path string) *call {
	r.t.Helper()
	return r.do(httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, path, nil))
}

func TestReadyzIs503BeforeTheLimitIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(l *limits) { l.InFlight, l.MaxBody = 10_000, 1<<20 })
		r.server.advance(phaseServing)
		first := r.start(r.request(batchOf(7000)))
		job := r.take()
		r.health("/readyz").requireAnswer(ready)
		second := r.start(r.request(batchOf(2000)))
		news := r.take()
		r.health("/readyz").requireAnswer(high)
		<-time.After(3200 * time.Millisecond)

		require.JSONEq(t, `{"status":"FAIL","reason":"in_flight_high","message":"`+outcomes[high].phrase+`",
			"setting":"rtbeat.max_in_flight_bytes","age_seconds":3.2}`, r.health("/readyz").requireAnswer(high))
		r.health("/livez").requireAnswer(alive)
		third := r.start(r.request(batchOf(600)))
		last := r.take()
		third.requireWaiting()

		news.deliver()
		second.requireAnswer(delivered)
		require.EqualValues(t, 7600, r.admission.Used())
		r.health("/readyz").requireAnswer(high)
		last.deliver()
		third.requireAnswer(delivered)
		r.health("/readyz").requireAnswer(ready)
		job.deliver()
		first.requireAnswer(delivered)
	})
}

// /readyz has one reason at a time, the longest-lasting first. /livez has none of them.
func TestTheReasonsOfReadyzHaveAnOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, tight)
		<-time.After(1500 * time.Millisecond)
		require.Contains(t, r.health("/readyz").requireAnswer(starting), `"setting":"rtbeat.port","age_seconds":1.5}`)
		r.server.advance(phaseServing)
		waiting := r.start(r.request(batchOf(950)))
		job := r.take()
		job.handOverAll()
		r.health("/readyz").requireAnswer(high)
		waiting.requireAnswer(ackTimeout)
		<-time.After(30 * time.Second)
		require.Contains(t, r.health("/readyz").requireAnswer(stalled), `"setting":"rtbeat.stall_after","age_seconds":35}`)
		r.server.Leave()
		<-time.After(2 * time.Second)
		require.Contains(t, r.health("/readyz").requireAnswer(leaving), `"setting":"rtbeat.shutdown_delay","age_seconds":2}`)
		require.NoError(t, r.server.Drain(t.Context()))
		<-time.After(time.Second)
		require.Contains(t, r.health("/readyz").requireAnswer(leaving), `"age_seconds":3}`, "since the signal, not since the draining")
		r.health("/livez").requireAnswer(alive)
		job.ack(len(job.events))
	})
}

// Every answer of health with a reason names the setting.
func TestEveryReasonOfHealthNamesASetting(t *testing.T) {
	for i, o := range outcomes {
		if !outcome(i).health() {
			continue
		}
		setting, has := settingOf[outcome(i)]
		require.Equal(t, o.phrase != "", has, o.reason)
		require.True(t, has || o.status == http.StatusOK, o.reason)
		require.Equal(t, has, strings.HasPrefix(setting, "rtbeat."), o.reason)
	}
}

// BenchmarkReadyz is a health check without the network: alone, and while four goroutines take the same locks.
func BenchmarkReadyz(b *testing.B) {
	for name, others := range map[string]int{"alone": 0, "beside=4": 4} {
		b.Run(name, func(b *testing.B) {
			registry, admission := inflight.NewRegistry(inflight.Settings{StallAfter: time.Minute}), inflight.NewAdmission(1<<30)
			server := New(Settings{MaxBody: 1 << 20, MaxHeader: 8 << 10}, Parts{
				Admission: admission, Registry: registry, Metrics: metrics.NewRegistry(),
				Connections: anyConnections{}, Log: &fakeLog{quiet: true},
			})
			defer server.abort(nil)
			server.advance(phaseServing)
			done := make(chan struct{})
			var busy sync.WaitGroup
			for range others {
				busy.Go(func() { occupy(done, registry, admission) })
			}
			req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/readyz", nil)
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				server.http.Handler.ServeHTTP(w, req)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
			b.StopTimer()
			close(done)
			busy.Wait()
		})
	}
}

// BenchmarkReadiness is the part of a health check that reads the state.
func BenchmarkReadiness(b *testing.B) {
	registry, admission := inflight.NewRegistry(inflight.Settings{StallAfter: time.Minute}), inflight.NewAdmission(1<<30)
	server := New(Settings{}, Parts{
		Admission: admission, Registry: registry, Metrics: metrics.NewRegistry(),
		Connections: anyConnections{}, Log: &fakeLog{quiet: true},
	})
	defer server.abort(nil)
	server.advance(phaseServing)
	b.ReportAllocs()
	for b.Loop() {
		if server.readiness().outcome != ready {
			b.Fatal("not ready")
		}
	}
}

// occupy takes the locks of batches, as often as it can.
func occupy(done chan struct{}, registry *inflight.Registry, admission *inflight.Admission) {
	for {
		select {
		case <-done:
			return
		default:
		}
		registry.QueueLength()
		if r, err := admission.Open(100); err == nil {
			_ = r.Grow(100)
			r.Release()
		}
	}
}
