package main

// recording are the rules that alerts and people query. Their names are level:metric:operations. Labels of the target
// are kept, whichever a site has.
func recording() []rule {
	return []rule{
		{Record: "instance:rtbeat_batches:rate5m", Expr: `rate(rtbeat_batches_total{$S}[5m])`},
		{Record: "instance:rtbeat_messages:rate5m", Expr: `rate(rtbeat_messages_total{$S}[5m])`},
		{Record: "instance:rtbeat_events_acked:rate5m", Expr: `rate(rtbeat_events_acked_total{$S}[5m])`},
		{Record: "instance:rtbeat_answers:rate5m", Expr: `sum without (code, reason) (rate(rtbeat_answers_total{$S}[5m]))`},
		{Record: "instance_code:rtbeat_answers:rate5m", Expr: `sum without (reason) (rate(rtbeat_answers_total{$S}[5m]))`},
		// A stop answers 503 as well; it is one, and no failure.
		{Record: "instance:rtbeat_answers_5xx:ratio_rate5m", Expr: `sum without (code, reason) (rate(rtbeat_answers_total{$S, code=~"5..", reason!="stopping"}[5m]))
/
(sum without (code, reason) (rate(rtbeat_answers_total{$S}[5m])) > 0)`},
		{Record: "instance:rtbeat_messages_coalesced:ratio_rate5m", Expr: `sum without (state) (rate(rtbeat_messages_coalesced_total{$S}[5m]))
/
(rate(rtbeat_messages_total{$S}[5m]) > 0)`},
		{Record: "instance:rtbeat_ack_duration_seconds:p50_rate5m", Expr: quantile("0.5", `rate(rtbeat_ack_duration_seconds_bucket{$S}[5m])`, `rate(rtbeat_ack_duration_seconds{$S}[5m])`)},
		{Record: "instance:rtbeat_ack_duration_seconds:p99_rate5m", Expr: quantile("0.99", `rate(rtbeat_ack_duration_seconds_bucket{$S}[5m])`, `rate(rtbeat_ack_duration_seconds{$S}[5m])`)},
		{Record: "instance:rtbeat_publish_wait_seconds:p99_rate5m", Expr: quantile("0.99", `rate(rtbeat_publish_wait_seconds_bucket{$S}[5m])`, `rate(rtbeat_publish_wait_seconds{$S}[5m])`)},
		{Record: "instance:rtbeat_in_flight_bytes:ratio", Expr: `rtbeat_in_flight_bytes{$S} / rtbeat_in_flight_bytes_limit{$S}`},
		{Record: "instance:rtbeat_in_flight_requests:ratio", Expr: `rtbeat_in_flight_requests{$S} / rtbeat_in_flight_requests_limit{$S}`},
		{Record: "instance:rtbeat_in_flight_events:ratio", Expr: `rtbeat_in_flight_events{$S} / rtbeat_in_flight_events_limit{$S}`},
		{Record: "instance:rtbeat_connections:ratio", Expr: `rtbeat_connections{$S} / rtbeat_connections_limit{$S}`},
		{Record: "instance:rtbeat_dedupe_entries:ratio", Expr: `rtbeat_dedupe_entries{$S} / rtbeat_dedupe_entries_limit{$S}`},
		{Record: "job:rtbeat_up:sum", Expr: `sum by (job) (up{$S})`},
	}
}

// quantile is that of a histogram, be it scraped with its classic buckets or, where Prometheus prefers them, with native
// ones. Where there are both, the classic ones count.
func quantile(q, classic, native string) string {
	return "histogram_quantile(" + q + ", " + classic + ")\nor\nhistogram_quantile(" + q + ", " + native + ")"
}
