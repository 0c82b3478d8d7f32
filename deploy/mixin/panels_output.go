package main

func inFlight() []panel {
	return []panel{
		{
			kind: timeseries, title: "Bytes in flight", unit: "bytes", width: 8, min: new(0.0),
			description: "Bytes taken in and not yet acknowledged or withdrawn, answered or not, and rtbeat.max_in_flight_bytes.",
			alerts:      []string{"RtbeatInFlightNearLimit"},
			targets: []target{
				{`sum by (instance) (rtbeat_in_flight_bytes{$S})`, "{{instance}}"},
				{`min(rtbeat_in_flight_bytes_limit{$S})`, "limit"},
			},
		},
		{
			kind: timeseries, title: "Time to the acknowledgement", unit: "s", width: 8, min: new(0.0),
			description: "From the end of a body to the last acknowledgement of its batch, for batches answered 200, and rtbeat.timeout.",
			alerts:      []string{"RtbeatAckLatencyHigh"},
			targets:     append(quantiles("rtbeat_ack_duration_seconds"), target{`min(rtbeat_timeout_seconds{$S})`, "timeout"}),
		},
		{
			kind: timeseries, title: "Oldest event owed", unit: "s", width: 8, min: new(0.0),
			description: "How long ago the oldest event came in that the output has not acknowledged; 0 when there is none.",
			alerts:      []string{"RtbeatOldestEventLate", "RtbeatOutputStalled"},
			targets:     []target{{`max by (instance) (rtbeat_oldest_unacknowledged_seconds{$S})`, "{{instance}}"}},
		},
		{
			kind: timeseries, title: "Messages that came again", unit: "cps", width: 8, stacked: true,
			description: "Messages that were not published again: they are in flight, or were delivered before.",
			alerts:      []string{"RtbeatRetriesJoined"},
			targets:     []target{{`sum by (state) (rate(rtbeat_messages_coalesced_total{$S}[$__rate_interval]))`, "{{state}}"}},
		},
		{
			kind: timeseries, title: "Delivered messages remembered", unit: "none", width: 8, min: new(0.0),
			description: "Delivered messages by which retries are known, and rtbeat.dedupe.max_entries. At the limit they are forgotten before dedupe.window is over.",
			targets: []target{
				{`sum by (instance) (rtbeat_dedupe_entries{$S})`, "{{instance}}"},
				{`min(rtbeat_dedupe_entries_limit{$S})`, "limit"},
			},
		},
		{
			kind: timeseries, title: "Taken back, filtered, dropped", unit: "cps", width: 8,
			description: "Messages taken back before the pipeline had them, events that a processor dropped, and events that did not enter the pipeline.",
			alerts:      []string{"RtbeatEventsDropped"},
			targets: []target{
				{`sum(rate(rtbeat_events_withdrawn_total{$S}[$__rate_interval]))`, "withdrawn"},
				{`sum(rate(rtbeat_events_filtered_total{$S}[$__rate_interval]))`, "filtered"},
				{`sum(rate(rtbeat_events_dropped_total{$S}[$__rate_interval]))`, "dropped"},
			},
		},
	}
}

func queue() []panel {
	return []panel{
		{
			kind: timeseries, title: "Batches in line", unit: "none", width: 8, min: new(0.0),
			description: "Batches that wait for a publishing worker. More than a moment above zero: the queue is full.",
			alerts:      []string{"RtbeatQueueFull"},
			targets:     []target{{`sum by (instance) (rtbeat_publish_queue_batches{$S})`, "{{instance}}"}},
		},
		{
			kind: timeseries, title: "Wait in line", unit: "s", width: 8, min: new(0.0),
			description: "From a batch's entry into the line to its first message handed over.",
			alerts:      []string{"RtbeatQueueFull"},
			targets:     quantiles("rtbeat_publish_wait_seconds"),
		},
		{
			kind: timeseries, title: "Events in the queue", unit: "none", width: 8, min: new(0.0),
			description: "Events that libbeat's queue holds, events handed over and not acknowledged, and how many the queue may hold.",
			alerts:      []string{"RtbeatQueueFull"},
			targets: []target{
				{`sum by (instance) (rtbeat_libbeat_queue_events{$S})`, "{{instance}} in the queue"},
				{`sum by (instance) (rtbeat_in_flight_events{$S})`, "{{instance}} not acknowledged"},
				{`min(rtbeat_in_flight_events_limit{$S})`, "limit"},
				{`min(rtbeat_libbeat_queue_events_limit{$S})`, "limit, as libbeat says"},
			},
		},
	}
}

func output() []panel {
	return []panel{
		{
			kind: timeseries, title: "Acknowledged events", unit: "cps", width: 8,
			description: "Events that the output acknowledged, by instance, and as libbeat counts them: with those that the output gave up.",
			alerts:      []string{"RtbeatOutputStalled"},
			targets: []target{
				{`sum by (instance) (rate(rtbeat_events_acked_total{$S}[$__rate_interval]))`, "{{instance}}"},
				{`sum by (instance) (rate(rtbeat_libbeat_output_events_acked_total{$S}[$__rate_interval]))`, "{{instance}}, as libbeat counts"},
			},
		},
		{
			kind: timeseries, title: "Stalled", unit: "none", width: 8, min: new(0.0), max: new(1.0),
			description: "1 while the output has events and has acknowledged none for rtbeat.stall_after.",
			mappings:    []mapping{{0, "works", "green"}, {1, "stalled", "red"}},
			alerts:      []string{"RtbeatOutputStalled"},
			targets:     []target{{`max by (instance) (rtbeat_output_stalled{$S})`, "{{instance}}"}},
		},
		{
			kind: timeseries, title: "Since the last acknowledgement", unit: "s", width: 8, min: new(0.0),
			description: "How long the output has acknowledged nothing of what it has, and how long ago the newest acknowledgement came. Without senders the second grows, and nothing is wrong.",
			alerts:      []string{"RtbeatOutputStalled"},
			targets: []target{
				{`max by (instance) (rtbeat_output_no_ack_seconds{$S})`, "{{instance}} owing"},
				{`time() - max by (instance) (rtbeat_last_ack_timestamp_seconds{$S} > 0)`, "{{instance}} newest"},
			},
		},
		{
			kind: timeseries, title: "Trouble at the output", unit: "cps", width: 8,
			description: "Events that failed, were tried again, or were dropped by the output, and errors while writing to it. The senders of dropped events were answered 502; in durable mode they are tried again.",
			alerts:      []string{"RtbeatOutputFails", "RtbeatOutputDropsEvents"},
			targets: []target{
				{`sum(rate(rtbeat_libbeat_output_events_failed_total{$S}[$__rate_interval]))`, "failed"},
				{`sum(rate(rtbeat_libbeat_output_events_retried_total{$S}[$__rate_interval]))`, "tried again"},
				{`sum(rate(rtbeat_libbeat_output_events_dropped_total{$S}[$__rate_interval]))`, "dropped"},
				{`sum(rate(rtbeat_events_rejected_total{$S}[$__rate_interval]))`, "answered 502"},
				{`sum(rate(rtbeat_libbeat_output_write_errors_total{$S}[$__rate_interval]))`, "write errors"},
			},
		},
		{
			kind: timeseries, title: "Events on their way", unit: "none", width: 8, min: new(0.0),
			description: "Events sent to the output that wait for its acknowledgement.",
			alerts:      []string{"RtbeatOutputStalled"},
			targets:     []target{{`sum by (instance) (rtbeat_libbeat_output_events_active{$S})`, "{{instance}}"}},
		},
		{
			kind: timeseries, title: "Bytes to the output", unit: "Bps", width: 8,
			description: "Bytes written to the output, after compression.",
			targets:     []target{{`sum by (instance) (rate(rtbeat_libbeat_output_write_bytes_total{$S}[$__rate_interval]))`, "{{instance}}"}},
		},
		{
			kind: timeseries, title: "Windows to the output", unit: "cps", width: 12,
			description: "Windows of events sent to the output.",
			targets:     []target{{`sum by (instance) (rate(rtbeat_libbeat_output_batches_total{$S}[$__rate_interval]))`, "{{instance}}"}},
		},
		{
			kind: timeseries, title: "What a 200 means", unit: "none", width: 12, min: new(0.0), stacked: true,
			description: "Instances by what a 200 means: delivered by the output, or persisted in the queue on disk.",
			targets:     []target{{`sum by (mode) (rtbeat_ack_mode{$S})`, "{{mode}}"}},
		},
	}
}

func process() []panel {
	return []panel{
		{
			kind: timeseries, title: "Memory", unit: "bytes", width: 6, min: new(0.0),
			description: "Resident memory. It is a base and a multiple of the bytes in flight (docs/operations.md).",
			targets:     []target{{`sum by (instance) (process_resident_memory_bytes{$S})`, "{{instance}}"}},
		},
		{
			kind: timeseries, title: "Processor", unit: "none", width: 6, min: new(0.0),
			description: "Cores in use.",
			targets:     []target{{`sum by (instance) (rate(process_cpu_seconds_total{$S}[$__rate_interval]))`, "{{instance}}"}},
		},
		{
			kind: timeseries, title: "Uptime", unit: "s", width: 6, min: new(0.0),
			description: "Time since the start. A fall is a restart.",
			alerts:      []string{"RtbeatRestarting"},
			targets:     []target{{`time() - max by (instance) (process_start_time_seconds{$S})`, "{{instance}}"}},
		},
		{
			kind: timeseries, title: "Version", unit: "none", width: 6, min: new(0.0), stacked: true,
			description: "Instances by version and commit.",
			targets:     []target{{`sum by (version, commit) (rtbeat_build_info{$S})`, "{{version}} {{commit}}"}},
		},
	}
}
