package main

// onDisk is empty for instances in memory mode.
func onDisk() []panel {
	return []panel{
		{
			kind: timeseries, title: "Share of max_bytes", unit: "percentunit", width: 6, min: new(0.0), max: new(1.0),
			description: "What the files of the queue take of rtbeat.durable.max_bytes, and 1 while the queue is full or cannot be written. Durable mode only, as this whole row.",
			alerts:      []string{"RtbeatDurableQueueFills", "RtbeatDurableQueueFull", "RtbeatDurableQueueFailed"},
			targets: []target{
				{`max by (instance) (rtbeat_queue_file_bytes{$S} / rtbeat_queue_file_bytes_limit{$S})`, "{{instance}}"},
				{`max by (instance) (rtbeat_queue_full{$S})`, "{{instance}} full"},
				{`max by (instance) (rtbeat_queue_failed{$S})`, "{{instance}} failed"},
			},
		},
		{
			kind: timeseries, title: "Stored and delivered", unit: "Bps", width: 6, min: new(0.0),
			description: "Bytes of batches written to the queue, and delivered from it. It fills while the first is higher.",
			alerts:      []string{"RtbeatDurableQueueFills"},
			targets: []target{
				{`sum by (instance) (rate(rtbeat_queue_stored_bytes_total{$S}[$__rate_interval]))`, "{{instance}} stored"},
				{`sum by (instance) (rate(rtbeat_queue_delivered_bytes_total{$S}[$__rate_interval]))`, "{{instance}} delivered"},
			},
		},
		{
			kind: timeseries, title: "Oldest batch on disk", unit: "s", width: 6, min: new(0.0),
			description: "How long ago the oldest batch came in that is not delivered; 0 when there is none.",
			alerts:      []string{"RtbeatDurableLate"},
			targets:     []target{{`max by (instance) (rtbeat_queue_oldest_seconds{$S})`, "{{instance}}"}},
		},
		{
			kind: timeseries, title: "Batches on disk", unit: "none", width: 6, min: new(0.0),
			description: "Batches that are not delivered, and those among them that failed and are tried again.",
			alerts:      []string{"RtbeatDurableRetries"},
			targets: []target{
				{`sum by (instance) (rtbeat_queue_batches{$S})`, "{{instance}}"},
				{`sum by (instance) (rtbeat_queue_retrying_batches{$S})`, "{{instance}} tried again"},
			},
		},
	}
}
