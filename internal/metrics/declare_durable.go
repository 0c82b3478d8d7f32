package metrics

var durable = Section{Name: "durable mode", Metrics: []Declaration{
	{
		Name: "rtbeat_queue_batches", Type: Gauge,
		Help:  "Batches in the queue on disk that are not delivered yet.",
		Moves: "Grows while the output is down or slower than the senders. Senders are answered 200 meanwhile.",
	},
	{
		Name: "rtbeat_queue_bytes", Type: Gauge,
		Help:  "Bytes of the batches in the queue on disk that are not delivered yet.",
		Moves: "As the batches.",
	},
	{
		Name: "rtbeat_queue_oldest_seconds", Type: Gauge,
		Help:  "Age of the oldest batch in the queue on disk, since it came in; 0 when there is none.",
		Moves: "Grows by a second each second: the output is down, or this one batch cannot be delivered. [Alert](runbooks.md#rtbeatdurablelate).",
	},
	{
		Name: "rtbeat_queue_file_bytes", Type: Gauge,
		Help:  "Bytes that the files of the queue on disk take.",
		More:  "A file of up to 64 MiB is made as a whole, and removed when nothing of it is left: this is more than `rtbeat_queue_bytes`, also while the queue is empty.",
		Moves: "At its limit, batches are refused with `queue_full`.",
	},
	{
		Name: "rtbeat_queue_file_bytes_limit", Type: Gauge,
		Help:  "The limit of rtbeat_queue_file_bytes (durable.max_bytes).",
		Moves: "Never while the process lives. Alert on the ratio of the two, and on when they meet: [alert](runbooks.md#rtbeatdurablequeuefills).",
	},
	{
		Name: "rtbeat_queue_stored_bytes_total", Type: Counter,
		Help:  "Bytes of batches written to the queue on disk.",
		Moves: "Its rate, less that of `rtbeat_queue_delivered_bytes_total`, is how fast the queue fills; below zero, how fast it drains.",
	},
	{
		Name: "rtbeat_queue_delivered_bytes_total", Type: Counter,
		Help:  "Bytes of batches deleted from the queue on disk, because they are delivered.",
		Moves: "Flat while `rtbeat_queue_batches` is above zero: nothing is delivered.",
	},
	{
		Name: "rtbeat_queue_retrying_batches", Type: Gauge,
		Help:  "Batches in the queue on disk that failed at least once, and are tried again.",
		More:  "They wait up to a minute between two attempts, and hold up no others. A stall of the output does not count.",
		Moves: "Resting above zero: a batch that cannot be delivered. The log has its number and the reason. [Alert](runbooks.md#rtbeatdurableretries).",
	},
	{
		Name: "rtbeat_queue_full", Type: Gauge,
		Help:  "1 while the queue on disk has no room for another batch, else 0.",
		More:  "`durable.max_bytes` is reached, or the disk is full.",
		Moves: "`/readyz` is 503 `queue_full`, and so are the answers. [Alert](runbooks.md#rtbeatdurablequeuefull).",
	},
	{
		Name: "rtbeat_queue_failed", Type: Gauge,
		Help:  "1 while the queue on disk cannot be written, else 0.",
		Moves: "`/readyz` is 503 `queue_failed`, and so are the answers. [Alert](runbooks.md#rtbeatdurablequeuefailed).",
	},
}}
