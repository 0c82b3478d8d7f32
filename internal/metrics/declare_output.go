package metrics

var output = Section{Name: "output", Metrics: []Declaration{
	{
		Name: "rtbeat_events_acked_total", Type: Counter,
		Help:  "Events acknowledged by the output.",
		More:  "Those of batches answered 504 before included.",
		Moves: "Flat while `rtbeat_in_flight_events` is above zero: the output is down or stalled. A stalled Logstash reports no error, this is the only sign.",
	},
	{
		Name: "rtbeat_current_acks", Type: Gauge,
		Help:  "Events in the newest acknowledgement of the output.",
		Moves: "Says how large the windows are. It is no measure of load.",
	},
	{
		Name: "rtbeat_last_ack_timestamp_seconds", Type: Gauge,
		Help:  "When the output last acknowledged events, in Unix time; 0 when it has not yet.",
		Moves: "It stands still without load too; `rtbeat_output_no_ack_seconds` does not.",
	},
	{
		Name: "rtbeat_output_stalled", Type: Gauge,
		Help:  "1 while the output counts as stalled (stall_after), else 0.",
		More:  "It has acknowledged nothing for `rtbeat.stall_after`, and has something to acknowledge.",
		Moves: "`/readyz` is 503, and batches with new messages are refused with `output_stalled`. In durable mode `/readyz` says `degraded`, and batches are stored. Look at Logstash.",
	},
	{
		Name: "rtbeat_output_no_ack_seconds", Type: Gauge,
		Help:  "How long the output has acknowledged nothing of what it has; 0 while it has nothing.",
		Moves: "Seconds are usual while Logstash is busy. Above `rtbeat.timeout`, senders get 504, but not in durable mode.",
	},
	{
		Name: "rtbeat_output_window_repeats", Type: Gauge,
		Help:  "How often the Logstash output has sent the same window again with no acknowledgement in between; 0 when all is well.",
		More:  "Timeouts of the output begin the count anew.",
		Moves: "1 or 2 after a lost connection. 3 and more: [one event may be unreadable for Logstash](runbooks.md#one-event-may-be-unreadable-for-logstash), or something accepts connections and closes them.",
	},
	{
		Name: "rtbeat_ack_mode", Type: Gauge, Labels: []string{"mode"},
		Help:  "1 for what a 200 means: delivered, or persisted in the queue on disk (durable mode).",
		Moves: "Never while the process lives.",
	},
	{
		Name: "rtbeat_acks_received", Type: Untyped,
		Help:  "The same as rtbeat_events_acked_total, under its old name.",
		Moves: "Kept for dashboards of the first rtbeat.",
	},
	{
		Name: "rtbeat_libbeat_output_events_acked_total", Type: Counter, Path: "libbeat.output.events.acked",
		Help:  "Events that the output's receiver accepted, as libbeat counts them.",
		Moves: "As `rtbeat_events_acked_total`, events that the output gave up included.",
	},
	{
		Name: "rtbeat_libbeat_output_events_failed_total", Type: Counter, Path: "libbeat.output.events.failed",
		Help:  "Events that the output failed to send, and that are sent again.",
		Moves: "Connections to Logstash break, or it refuses what it gets. Each is a chance of a copy.",
	},
	{
		Name: "rtbeat_libbeat_output_events_dropped_total", Type: Counter, Path: "libbeat.output.events.dropped",
		Help:  "Events that the output gave up, because they can never be sent.",
		Moves: "Their batches are answered 502 `output_rejected`; in durable mode they are tried again. With Logstash it stays 0.",
	},
	{
		Name: "rtbeat_libbeat_output_events_retried_total", Type: Counter, Path: "libbeat.pipeline.events.retry",
		Help:  "Events that an output worker sent back, to be sent again.",
		Moves: "As the failed ones; a lost connection sends back all of its windows.",
	},
	{
		Name: "rtbeat_libbeat_output_events_active", Type: Gauge, Path: "libbeat.output.events.active",
		Help:  "Events sent to the output's receiver and not yet accepted.",
		Moves: "Resting above zero: Logstash has them and does not acknowledge.",
	},
	{
		Name: "rtbeat_libbeat_output_batches_total", Type: Counter, Path: "libbeat.output.events.batches",
		Help:  "Windows given to the output.",
		Moves: "The rate of acknowledged events by this one's is how large they are.",
	},
	{
		Name: "rtbeat_libbeat_output_write_bytes_total", Type: Counter, Path: "libbeat.output.write.bytes",
		Help:  "Bytes that the output has written to its connections, compressed.",
		Moves: "Its rate is the load of the network.",
	},
	{
		Name: "rtbeat_libbeat_output_write_errors_total", Type: Counter, Path: "libbeat.output.write.errors",
		Help:  "Errors in writing to the output's connections.",
		Moves: "Connections to Logstash break. Its log, or what is between, says why.",
	},
}}

var process = Section{Name: "process", Metrics: []Declaration{
	{
		Name: "rtbeat_phase", Type: Gauge, Labels: []string{"phase"},
		Help:  "1 for where rtbeat stands between start and end: starting, serving, leaving, draining.",
		More:  "`leaving` still takes batches for `shutdown_delay`, `draining` refuses them.",
		Moves: "`leaving` and `draining` after a signal to stop. With `admin.port` set, the scrape shows them to the end.",
	},
	{
		Name: "rtbeat_reloads_total", Type: Counter, Labels: []string{"result"},
		Help:  "How often certificates and secrets were read again after a SIGHUP, by result: done, failed.",
		More:  "After `failed` those from before stay in force, and the log says why.",
		Moves: "With each `systemctl reload`. `failed`: look for `reloading failed` in the log, mend the file, reload again.",
	},
	{
		Name: "rtbeat_build_info", Type: Gauge, Labels: []string{"version", "commit", "libbeat_version", "goversion"},
		Help:  "1, with the versions of rtbeat, its commit, libbeat and Go.",
		Moves: "With each upgrade.",
	},
}}
