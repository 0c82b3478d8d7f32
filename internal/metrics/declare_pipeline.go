package metrics

// pathQueueLimit is where libbeat has how many events its queue holds.
const pathQueueLimit = "libbeat.pipeline.queue.max_events"

var inFlight = Section{Name: "in flight", Metrics: []Declaration{
	{
		Name: "rtbeat_in_flight_bytes", Type: Gauge,
		Help:  "Bytes of bodies taken in and not yet acknowledged by the output or withdrawn.",
		More:  "Answered or not.",
		Moves: "Near its limit, 503s begin. Resting above zero without senders: the output owes acknowledgements.",
	},
	{
		Name: "rtbeat_in_flight_bytes_limit", Type: Gauge,
		Help:  "The limit of rtbeat_in_flight_bytes (max_in_flight_bytes).",
		Moves: "Alert on the ratio of the two, not on a number.",
	},
	{
		Name: "rtbeat_in_flight_high", Type: Gauge,
		Help:  "1 from nine tenths of rtbeat_in_flight_bytes_limit on until it is down to three quarters, else 0.",
		Moves: "`/readyz` is 503 `in_flight_high`, and what does not fit is refused. The output is slower than the senders.",
	},
	{
		Name: "rtbeat_in_flight_events", Type: Gauge,
		Help:  "Events handed to the pipeline and not yet acknowledged by the output.",
		Moves: "As the bytes. At its limit and more, publishing waits for the output: each worker holds one more event than the queue.",
	},
	{
		Name: "rtbeat_in_flight_events_limit", Type: Gauge, Path: pathQueueLimit,
		Help:  "How many events libbeat's queue holds; absent where libbeat does not say.",
		More:  "`queue.mem.events`, 3,200 by default.",
		Moves: "Never while the process lives.",
	},
	{
		Name: "rtbeat_oldest_unacknowledged_seconds", Type: Gauge,
		Help:  "Age of the oldest event that the output owes, since its batch came in; 0 when it owes none.",
		More:  "Unlike `rtbeat_output_no_ack_seconds`, it grows as well while the output acknowledges others.",
		Moves: "Above `rtbeat.timeout`, its sender was answered 504. In durable mode it was answered 200, and the age includes the wait on disk. Growing with acknowledgements flowing: one of several hosts is stalled.",
	},
	{
		Name: "rtbeat_dedupe_entries", Type: Gauge,
		Help:  "Delivered messages by which retries are known, within dedupe.window.",
		More:  "Those in flight are known besides.",
		Moves: "At its limit, messages are forgotten before the window is over.",
	},
	{
		Name: "rtbeat_dedupe_entries_limit", Type: Gauge,
		Help:  "The limit of rtbeat_dedupe_entries (dedupe.max_entries).",
		Moves: "Divided by the rate of `rtbeat_events_acked_total`, it is how many seconds of deliveries are known.",
	},
	{
		Name: "rtbeat_events_withdrawn_total", Type: Counter,
		Help:  "Messages taken back before the pipeline had them, because their sender was answered or is gone.",
		More:  "They are not delivered, and a retry of them makes no copy.",
		Moves: "Goes with 504s while the queue is full.",
	},
}}

var queue = Section{Name: "queue", Metrics: []Declaration{
	{
		Name: "rtbeat_publish_queue_batches", Type: Gauge,
		Help:  "Batches that wait for a publishing worker.",
		Moves: "More than a moment above zero: the queue is full and the workers are blocked on it.",
	},
	{
		Name: "rtbeat_publish_wait_seconds", Type: Histogram,
		Help:    "Time from a batch's entry into the line of the workers until its first message is handed over.",
		More:    "Once for each batch that a worker has taken; half a millisecond is usual under load, where a few messages wait for more.",
		Moves:   "Long waits: the queue is full, or processors are slow. It is a part of `rtbeat_ack_duration_seconds`.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	},
	{
		Name: "rtbeat_events_filtered_total", Type: Counter,
		Help:  "Events that a processor dropped, answered as filtered.",
		More:  "Their batches are answered 200 with `filtered`. A retry runs the processors again, and counts again.",
		Moves: "Expected where a processor drops events.",
	},
	{
		Name: "rtbeat_processor_failures_total", Type: Counter, Labels: []string{"processor"},
		Help:  "Events that a processor failed on, for batches that are then answered 500 processor_failed, or tried again in durable mode.",
		More:  "One series for each processor of the configuration. A panic counts in `rtbeat_events_dropped_total` instead. A retry counts again.",
		Moves: "Any at all: the log names the processor, and libbeat's line `Failed to publish event` has the cause. [Alert](runbooks.md#rtbeatinternalerrors).",
	},
	{
		Name: "rtbeat_events_dropped_total", Type: Counter,
		Help:  "Events that never entered the pipeline: a processor panicked, or the pipeline was closing.",
		More:  "Their batches are answered 500 or, while rtbeat stops, 503. In durable mode they are tried again.",
		Moves: "Anywhere but while stopping look for `panic in a processor` in the log.",
	},
	{
		Name: "rtbeat_events_rejected_total", Type: Counter,
		Help:  "Events that the output gave up, for batches that are then answered 502 output_rejected, or tried again in durable mode.",
		More:  "Not counted in `rtbeat_events_acked_total`. A retry is tried again, and counts again.",
		Moves: "Any at all: the log says what the output has against them. [outputs.md](outputs.md#what-an-output-gives-up) has the causes.",
	},
	{
		Name: "rtbeat_libbeat_queue_events", Type: Gauge, Path: "libbeat.pipeline.queue.filled.events",
		Help:  "Events in libbeat's queue, those on their way to the output included.",
		Moves: "At its limit, publishing waits for the output.",
	},
	{
		Name: "rtbeat_libbeat_queue_events_limit", Type: Gauge, Path: pathQueueLimit,
		Help:  "How many events libbeat's queue holds; absent where libbeat does not say.",
		Moves: "Alert on the ratio of the two.",
	},
	{
		Name: "rtbeat_libbeat_pipeline_clients", Type: Gauge, Path: "libbeat.pipeline.clients",
		Help:  "Clients of libbeat's pipeline: a publishing worker has one each.",
		Moves: "Never between start and stop.",
	},
}}
