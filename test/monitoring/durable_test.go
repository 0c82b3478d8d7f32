//go:build monitoring

package monitoring

import (
	"net/http"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// TestDurableModeShowsWhatIsNotDelivered is about the one state in which senders are told 200 and nothing arrives.
func TestDurableModeShowsWhatIsNotDelivered(t *testing.T) {
	find(t, "prometheus")
	sink := harness.StartSink(t, lumbersink.Never())
	beat := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Disk: map[string]any{"max_size": "1GB"}})
	way := newWay(t, beat.Health, "")
	s := &story{t: t, p: startPrometheus(t, []scrape{{openMetrics, way.addr}}, []string{deploy(t, "prometheus/rules.yml"), fastRules(t)})}
	const alert = "RtbeatDurableNotDelivering fast " + openMetrics

	client := harness.NewClient(t)
	from := time.Now()
	for _, name := range []string{"one", "two", "three"} {
		a := client.Post(t.Context(), beat.Addr, harness.NewBatch(name, 10).Body())
		require.Equal(t, http.StatusOK, a.Code, "%s", a)
		require.Equal(t, "persisted", a.Body.Ack)
	}
	harness.Await(t, happensWithin, alert+" fires", func() bool { return s.p.alerts()[alert] == v1.AlertStateFiring })
	require.NotContains(t, s.p.alerts(), "RtbeatOutputStalled fast "+openMetrics, "the disk acknowledges")
	held := s.p.series("rtbeat_libbeat_queue_events", from, time.Now())
	require.Len(t, held, 1)
	for _, values := range held {
		require.InDelta(t, 30, values[len(values)-1], 0, "events on the disk")
	}
	require.Empty(t, s.p.series("rtbeat_libbeat_queue_events_limit or rtbeat_in_flight_events_limit", from, time.Now()), "nobody knows how many a disk holds")

	harness.RecoverSink(sink)
	harness.Await(t, happensWithin, alert+" ends", func() bool { return s.p.alerts()[alert] == "" })
	s.p.healthy()
	beat.Stop()
}
