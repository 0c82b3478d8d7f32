package beater

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/dedupe"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/metrics"
)

// gather returns all series of rtbeat. The value of a histogram is the number of observations.
func gather(t *testing.T, r *metrics.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	require.NoError(t, err)
	values := make(map[string]float64)
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "rtbeat_") {
			continue
		}
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetName() + "=" + label.GetValue()
			}
			values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

// A counter is there before its first event, so that a rate sees the event.
func TestEverySeriesIsThereFromTheStart(t *testing.T) {
	r := metrics.NewRegistry()
	require.NoError(t, DeclareMetrics(r))
	values := gather(t, r)
	for _, name := range []string{
		"rtbeat_connections", "rtbeat_connections_limit", "rtbeat_connections_accepted_total", "rtbeat_connections_displaced_total", "rtbeat_tls_certificate_expiry_timestamp_seconds",
		"rtbeat_in_flight_requests", "rtbeat_in_flight_requests_limit", "rtbeat_received_bytes_total source=in", "rtbeat_batches_total source=in", "rtbeat_batches_received",
		"rtbeat_messages_total source=in", "rtbeat_messages_parsed", "rtbeat_numbers_as_strings_total", "rtbeat_ack_duration_seconds", "rtbeat_timeout_seconds",
		"rtbeat_messages_coalesced_total source=in state=in_flight", "rtbeat_messages_coalesced_total source=in state=delivered",
		"rtbeat_answers_total code=200 reason=delivered source=in", "rtbeat_answers_total code=499 reason=client_gone source=in", "rtbeat_answers_total code=503 reason=queue_full source=in",
		"rtbeat_decode_failures_total reason=malformed_json source=in", "rtbeat_decode_failures_total reason=corrupt_encoding source=in",
		"rtbeat_auth_failures_total reason=missing source=in", "rtbeat_auth_failures_total reason=wrong_token source=in",
		"rtbeat_tls_handshake_failures_total reason=closed", "rtbeat_tls_handshake_failures_total reason=other",
		"rtbeat_queue_batches", "rtbeat_queue_bytes", "rtbeat_queue_oldest_seconds", "rtbeat_queue_file_bytes", "rtbeat_queue_file_bytes_limit",
		"rtbeat_queue_stored_bytes_total", "rtbeat_queue_delivered_bytes_total", "rtbeat_queue_retrying_batches", "rtbeat_queue_full", "rtbeat_queue_failed",
		"rtbeat_in_flight_bytes", "rtbeat_in_flight_bytes_limit", "rtbeat_in_flight_high", "rtbeat_in_flight_events", "rtbeat_oldest_unacknowledged_seconds",
		"rtbeat_dedupe_entries", "rtbeat_dedupe_entries_limit", "rtbeat_events_withdrawn_total", "rtbeat_publish_queue_batches", "rtbeat_publish_wait_seconds",
		"rtbeat_events_filtered_total", "rtbeat_events_dropped_total", "rtbeat_events_rejected_total", "rtbeat_events_acked_total", "rtbeat_acks_received",
		"rtbeat_current_acks", "rtbeat_last_ack_timestamp_seconds", "rtbeat_output_stalled", "rtbeat_output_no_ack_seconds", "rtbeat_output_window_repeats",
		"rtbeat_reloads_total result=done", "rtbeat_reloads_total result=failed",
		"rtbeat_ack_mode mode=delivered", "rtbeat_ack_mode mode=processed", "rtbeat_ack_mode mode=persisted", "rtbeat_phase phase=starting", "rtbeat_phase phase=draining",
	} {
		require.Contains(t, values, name)
	}
	require.InDelta(t, 1, values["rtbeat_build_info commit= goversion="+runtime.Version()+" libbeat_version= version="], 0)
	for name, value := range values {
		require.False(t, value != 0 && strings.HasSuffix(name, "_total"), name)
	}
}

// Each gauge shows its own number.
func TestGaugesOfPackageInflight(t *testing.T) {
	r := metrics.NewRegistry()
	admission := inflight.NewAdmission(1000)
	registry := inflight.NewRegistry(inflight.Settings{Dedupe: dedupe.Settings{Enabled: true, Window: time.Minute, MaxEntries: 77}, DocumentID: inflight.ContentID})
	registerInFlight(r, admission, registry, func() int64 { return 12 }, 34)
	reservation, err := admission.Open(950)
	require.NoError(t, err)
	require.NoError(t, reservation.Grow(950))
	b, err := batch.Decode([]byte(`[{"uuid":"a"},{"uuid":"b"}]`), batch.Options{Identity: batch.Identity{Fields: []string{"uuid"}}})
	require.NoError(t, err)
	token, err := registry.Claim(b.Messages, inflight.Origin{Received: time.Now().Add(-time.Hour)}, reservation)
	require.NoError(t, err)
	token.Publish()
	waits := gather(t, r)
	require.InDelta(t, 1, waits["rtbeat_publish_queue_batches"], 0)
	taken := registry.Take()
	var events []any
	for _, e, ok := taken.Next(); ok; _, e, ok = taken.Next() {
		e.ReachOutput()
		events = append(events, e)
	}
	registry.Ack(events[:1])
	shown := gather(t, r)
	require.GreaterOrEqual(t, shown["rtbeat_oldest_unacknowledged_seconds"], 3600.0)
	require.Less(t, shown["rtbeat_output_no_ack_seconds"], 60.0)
	delete(shown, "rtbeat_oldest_unacknowledged_seconds")
	delete(shown, "rtbeat_output_no_ack_seconds")
	require.Equal(t, map[string]float64{
		"rtbeat_in_flight_bytes": 12, "rtbeat_in_flight_bytes_limit": 34, "rtbeat_in_flight_high": 1, "rtbeat_in_flight_events": 1,
		"rtbeat_dedupe_entries": 1, "rtbeat_dedupe_entries_limit": 77, "rtbeat_publish_queue_batches": 0,
		"rtbeat_output_stalled": 0, "rtbeat_output_window_repeats": 0,
	}, shown)
	registry.Ack(events[1:])
}
