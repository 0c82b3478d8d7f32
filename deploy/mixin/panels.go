package main

// rows are the stops of the walk, after one with the verdict.
func rows() []row {
	return []row{
		{"Overview", overview()},
		{"Senders", senders()},
		{"Intake", intake()},
		{"Queue on disk", onDisk()},
		{"In flight", inFlight()},
		{"Queue", queue()},
		{"Output", output()},
		{"Process", process()},
	}
}

// upTo colours a value that is worse the higher it is.
func upTo(yellow, red float64) []step {
	return []step{{Color: "green"}, {"yellow", new(yellow)}, {"red", new(red)}}
}

// verdict is the worst of what is true of any instance. Each part carries a word of its own, so that `or` keeps them all.
const verdict = `max(
  label_replace((up{$S} == bool 0) * 4, "why", "down", "", "")
  or label_replace((rtbeat_output_stalled{$S} == bool 1) * 3, "why", "stalled", "", "")
  or label_replace((sum by (job, instance) (rate(rtbeat_answers_total{$S, code=~"5..", reason!="stopping"}[$__rate_interval]))
    / (sum by (job, instance) (rate(rtbeat_answers_total{$S}[$__rate_interval])) > 0) > bool $Failing) * 2, "why", "failing", "", "")
  or label_replace((rtbeat_in_flight_bytes{$S} / rtbeat_in_flight_bytes_limit{$S} >= bool $NearLimit) * 1, "why", "bytes", "", "")
  or label_replace((rtbeat_in_flight_events{$S} / rtbeat_in_flight_events_limit{$S} >= bool $QueueFull unless rtbeat_queue_batches{$S}) * 1, "why", "queue", "", "")
)`

func overview() []panel {
	return []panel{
		{
			kind: stat, title: "Verdict", unit: "none", width: 6,
			description: "The worst of what is true of any instance: down, its output stalled, 5xx above 5 %, a limit or the queue above 90 or 95 %.",
			mappings: []mapping{
				{0, "Batches are delivered", "green"},
				{1, "Near a limit", "yellow"},
				{2, "Senders get 5xx", "orange"},
				{3, "Output stalled", "red"},
				{4, "Instance down", "dark-red"},
			},
			thresholds: []step{{Color: "green"}, {"yellow", new(1.0)}, {"orange", new(2.0)}, {"red", new(3.0)}},
			alerts:     []string{"RtbeatDown", "RtbeatOutputStalled", "RtbeatAnswersFail", "RtbeatInFlightNearLimit"},
			targets:    []target{{verdict, "verdict"}},
		},
		{
			kind: stat, title: "Instances down", unit: "none", width: 3,
			description: "Instances that Prometheus cannot scrape.",
			thresholds:  upTo(1, 1), alerts: []string{"RtbeatDown", "RtbeatAbsent"},
			targets: []target{{`sum(up{$S} == bool 0)`, "down"}},
		},
		{
			kind: stat, title: "Answers 200", unit: "percentunit", width: 3,
			description: "Share of the answers that are 200: each event of the batch is acknowledged, or in durable mode on the disk.",
			thresholds:  []step{{Color: "red"}, {"yellow", new(0.9)}, {"green", new(0.99)}}, alerts: []string{"RtbeatAnswersFail"},
			targets: []target{{`sum(rate(rtbeat_answers_total{$S, code="200"}[$__rate_interval])) / (sum(rate(rtbeat_answers_total{$S}[$__rate_interval])) > 0)`, "200"}},
		},
		{
			kind: stat, title: "Ack time, p99 of the timeout", unit: "percentunit", width: 3,
			description: "The 99th percentile of the time to the acknowledgement, as a share of rtbeat.timeout. At 1, 200 turns into 504.",
			thresholds:  upTo(0.5, 0.8), alerts: []string{"RtbeatAckLatencyHigh"},
			targets: []target{{"(\n" + overAll("0.99", "rtbeat_ack_duration_seconds") + "\n) / scalar(min(rtbeat_timeout_seconds{$S}))", "p99"}},
		},
		{
			kind: stat, title: "Bytes in flight of the limit", unit: "percentunit", width: 3,
			description: "The fullest instance. From 90 % on, /readyz is 503 in_flight_high.",
			thresholds:  upTo(0.75, 0.9), alerts: []string{"RtbeatInFlightNearLimit"},
			targets: []target{{`max(rtbeat_in_flight_bytes{$S} / rtbeat_in_flight_bytes_limit{$S})`, "fullest"}},
		},
		{
			kind: stat, title: "Oldest event owed", unit: "s", width: 3,
			description: "How long ago the oldest event came in that the output has not acknowledged. In durable mode, the wait on disk included.",
			thresholds:  upTo(5, 30), alerts: []string{"RtbeatOldestEventLate", "RtbeatOutputStalled"},
			targets: []target{{`max(rtbeat_oldest_unacknowledged_seconds{$S})`, "oldest"}},
		},
		{
			kind: stat, title: "Alerts", unit: "none", width: 3,
			description: "Alerts of rtbeat that are firing, if Prometheus evaluates deploy/prometheus/rules.yml.",
			thresholds:  upTo(1, 1),
			targets:     []target{{`count(ALERTS{$S, alertname=~"Rtbeat.+", alertstate="firing"}) or vector(0)`, "firing"}},
		},
		{
			kind: timeseries, title: "In and out", unit: "cps", width: 12,
			description: "Messages that came in, less those that were known already, and events that the output acknowledged. They part when the output does not keep up, or messages are refused or withdrawn.",
			alerts:      []string{"RtbeatOutputStalled", "RtbeatRetriesJoined"},
			targets: []target{
				{`sum(rate(rtbeat_messages_total{$S}[$__rate_interval])) - sum(rate(rtbeat_messages_coalesced_total{$S}[$__rate_interval]))`, "new messages"},
				{`sum(rate(rtbeat_events_acked_total{$S}[$__rate_interval]))`, "acknowledged events"},
			},
		},
		{
			kind: timeseries, title: "Phase", unit: "none", width: 12, stacked: true,
			description: "Instances by the phase of their life. leaving and draining end within rtbeat.shutdown_timeout.",
			alerts:      []string{"RtbeatRestarting"},
			targets:     []target{{`sum by (phase) (rtbeat_phase{$S})`, "{{phase}}"}},
		},
	}
}

func senders() []panel {
	return []panel{
		{
			kind: timeseries, title: "Batches", unit: "reqps", width: 8,
			description: "Batches decoded, by instance.",
			targets:     []target{{`sum by (instance) (rate(rtbeat_batches_total{$S}[$__rate_interval]))`, "{{instance}}"}},
		},
		{
			kind: timeseries, title: "Messages", unit: "cps", width: 8,
			description: "Messages in the batches decoded, by instance. Retries count again.",
			targets:     []target{{`sum by (instance) (rate(rtbeat_messages_total{$S}[$__rate_interval]))`, "{{instance}}"}},
		},
		{
			kind: timeseries, title: "Bytes of bodies", unit: "Bps", width: 8,
			description: "Bytes of request bodies read, those of refused ones included.",
			targets:     []target{{`sum by (instance) (rate(rtbeat_received_bytes_total{$S}[$__rate_interval]))`, "{{instance}}"}},
		},
		{
			kind: timeseries, title: "Connections", unit: "none", width: 8, min: new(0.0),
			description: "Open connections of senders, and their limit. At the limit, idle and incomplete ones are closed for new ones.",
			alerts:      []string{"RtbeatConnectionsDisplaced"},
			targets: []target{
				{`sum by (instance) (rtbeat_connections{$S})`, "{{instance}}"},
				{`min(rtbeat_connections_limit{$S})`, "limit"},
				{`sum by (instance) (rate(rtbeat_connections_displaced_total{$S}[$__rate_interval]))`, "{{instance}} displaced a second"},
			},
		},
		{
			kind: timeseries, title: "Refused credentials and handshakes", unit: "cps", width: 8,
			description: "Requests refused for their credentials, and TLS handshakes that failed, by reason.",
			alerts:      []string{"RtbeatSenderUnauthorized", "RtbeatTLSHandshakesFail"},
			targets: []target{
				{`sum by (reason) (rate(rtbeat_auth_failures_total{$S}[$__rate_interval]))`, "credentials: {{reason}}"},
				{`sum by (reason) (rate(rtbeat_tls_handshake_failures_total{$S}[$__rate_interval]))`, "handshake: {{reason}}"},
			},
		},
		{
			kind: timeseries, title: "Certificate expires in", unit: "s", width: 8,
			description: "Time until the first certificate that is served expires. Empty without TLS.",
			alerts:      []string{"RtbeatCertificateExpires", "RtbeatReloadFailed"},
			targets:     []target{{`min by (instance) (rtbeat_tls_certificate_expiry_timestamp_seconds{$S}) - time()`, "{{instance}}"}},
		},
	}
}

func intake() []panel {
	return []panel{
		{
			kind: timeseries, title: "Answers", unit: "reqps", width: 12, stacked: true,
			description: "Answers by status and reason. 499 is a sender that left before its answer.",
			alerts:      []string{"RtbeatAnswersFail", "RtbeatSenderBlocked", "RtbeatInternalErrors"},
			targets:     []target{{`sum by (code, reason) (rate(rtbeat_answers_total{$S}[$__rate_interval])) > 0`, "{{code}} {{reason}}"}},
		},
		{
			kind: timeseries, title: "Answers 5xx", unit: "percentunit", width: 6, min: new(0.0), max: new(1.0),
			description: "Share of 5xx among the answers, by instance, without those of a stop.",
			alerts:      []string{"RtbeatAnswersFail"},
			targets: []target{{`sum by (instance) (rate(rtbeat_answers_total{$S, code=~"5..", reason!="stopping"}[$__rate_interval]))
/ (sum by (instance) (rate(rtbeat_answers_total{$S}[$__rate_interval])) > 0)`, "{{instance}}"}},
		},
		{
			kind: timeseries, title: "Batches that cannot be read", unit: "cps", width: 6,
			description: "Bodies refused while they were decoded, by reason. Whoever sends them again is stuck.",
			alerts:      []string{"RtbeatSenderBlocked"},
			targets:     []target{{`sum by (reason) (rate(rtbeat_decode_failures_total{$S}[$__rate_interval]))`, "{{reason}}"}},
		},
		{
			kind: timeseries, title: "Requests in flight", unit: "none", width: 12, min: new(0.0),
			description: "Requests that are being served, most of them waiting for their acknowledgement, and how many may be.",
			alerts:      []string{"RtbeatRequestsNearLimit"},
			targets: []target{
				{`sum by (instance) (rtbeat_in_flight_requests{$S})`, "{{instance}}"},
				{`min(rtbeat_in_flight_requests_limit{$S})`, "limit"},
			},
		},
		{
			kind: timeseries, title: "Numbers kept as strings", unit: "cps", width: 12,
			description: "Numbers that neither 64 bits nor a double hold. Their fields arrive as strings of their digits.",
			targets:     []target{{`sum by (instance) (rate(rtbeat_numbers_as_strings_total{$S}[$__rate_interval]))`, "{{instance}}"}},
		},
	}
}

// overAll is a quantile over all instances.
func overAll(q, histogram string) string {
	return quantile(q, "sum by (le) (rate("+histogram+"_bucket{$S}[$__rate_interval]))", "sum(rate("+histogram+"{$S}[$__rate_interval]))")
}

// quantiles are the usual three of a histogram, over all instances.
func quantiles(histogram string) []target {
	var targets []target
	for _, q := range []struct{ q, name string }{{"0.5", "p50"}, {"0.9", "p90"}, {"0.99", "p99"}} {
		targets = append(targets, target{overAll(q.q, histogram), q.name})
	}
	return targets
}
