package metrics

var senders = Section{Name: "senders", Metrics: []Declaration{
	{
		Name: "rtbeat_connections", Type: Gauge,
		Help:  "Open connections of senders.",
		Moves: "At its limit, connections are displaced.",
	},
	{
		Name: "rtbeat_connections_limit", Type: Gauge,
		Help:  "The limit of rtbeat_connections (max_connections, and the files that may be open).",
		Moves: "Raise the limit of open files (`LimitNOFILE`) when it is lower than configured.",
	},
	{
		Name: "rtbeat_connections_displaced_total", Type: Counter,
		Help:  "Connections that were closed, idle or with an incomplete request, to make room for another one.",
		Moves: "Grows: too many senders for `max_connections`, or somebody who opens connections for nothing.",
	},
	{
		Name: "rtbeat_tls_handshake_failures_total", Type: Counter, Labels: []string{"reason"},
		Help: "TLS handshakes that failed, by reason.",
		More: "`closed`: the connection ended, as a port scan or a probe of a load balancer does. `timeout`: it took longer than `read_timeout`. " +
			"`not_tls`: plain HTTP, or something else. `no_certificate`: the sender showed none, and one is required. `bad_certificate`: the sender's is expired, or of an " +
			"authority that is not believed. `rejected_by_peer`: the sender does not believe rtbeat's. `protocol`: no version or cipher suite in common, or broken records. " +
			"`other`: the log has the text. Zero without TLS.",
		Moves: "`rejected_by_peer` after a renewal: the new certificate, or its chain, is not what senders trust. `bad_certificate`: a sender's certificate ran out.",
	},
	{
		Name: "rtbeat_tls_certificate_expiry_timestamp_seconds", Type: Gauge,
		Help:  "When the first of the certificates that are served ends, in Unix time; only with TLS.",
		More:  "That of the server, and those that it sends with it. A renewed file counts from the next scrape on.",
		Moves: "Less `time()`, it is what is left. Renew the files; no restart is needed.",
	},
	{
		Name: "rtbeat_auth_failures_total", Type: Counter, Labels: []string{"reason"},
		Help: "Requests that were refused for their credentials, by what was wrong.",
		More: "401: `missing`, `repeated_header`, `bad_scheme`, `bad_authorization`, `wrong_token`, `wrong_login`, `bad_signature`, `bad_timestamp`, `stale_timestamp`, " +
			"`wrong_signature`. 403: `no_certificate`, `name_not_allowed`. `not_checked` is a defect in rtbeat.",
		Moves: "`wrong_token`, `wrong_login`, `wrong_signature`: a sender has an old secret, or somebody tries. `stale_timestamp`: a clock is wrong.",
	},
}}

var intake = Section{Name: "intake", Metrics: []Declaration{
	{
		Name: "rtbeat_in_flight_requests", Type: Gauge,
		Help:  "Requests to /in that are being served.",
		More:  "Most of them wait for their acknowledgement.",
		Moves: "A plateau with `rtbeat_events_acked_total` flat: the output is stalled.",
	},
	{
		Name: "rtbeat_in_flight_requests_limit", Type: Gauge,
		Help:  "How many requests with few headers may be served at once.",
		More:  "A quarter of `max_in_flight_bytes` is for them, at 2 KiB each; headers weigh more.",
		Moves: "At the limit it is 503 `in_flight_limit`.",
	},
	{
		Name: "rtbeat_received_bytes_total", Type: Counter,
		Help:  "Bytes of request bodies read.",
		More:  "Those of refused bodies included.",
		Moves: "Its rate is the load.",
	},
	{
		Name: "rtbeat_decode_failures_total", Type: Counter, Labels: []string{"reason"},
		Help:  "Bodies that are no batch, by reason.",
		More:  "`corrupt_encoding`, `empty_body`, `key_too_long`, `malformed_json`, `size_mismatch`, `string_too_long`, `too_deep`, `too_many_messages`, `wrong_shape`: [http-api.md](http-api.md) says what each means.",
		Moves: "A sender is stuck: the same bytes will be refused for ever. The log says who.",
	},
	{
		Name: "rtbeat_batches_total", Type: Counter,
		Help:  "Batches decoded.",
		More:  "Empty ones included.",
		Moves: "A rate that falls to zero: the senders are gone, or everything is refused. See `rtbeat_answers_total`.",
	},
	{
		Name: "rtbeat_messages_total", Type: Counter,
		Help: "Messages in the batches decoded.",
		More: "Retries count again.",
		Moves: "Less `rtbeat_messages_coalesced_total`, compare with `rtbeat_events_acked_total`: a growing distance is messages that were withdrawn or refused, " +
			"or filtered events.",
	},
	{
		Name: "rtbeat_numbers_as_strings_total", Type: Counter,
		Help:  "Numbers kept as strings of their exact digits, because neither 64 bits nor a double hold them.",
		Moves: "A field that a store maps as a number now and then gets a string. Change the sender, or map the field as a keyword.",
	},
	{
		Name: "rtbeat_messages_coalesced_total", Type: Counter, Labels: []string{"state"},
		Help:  "Messages that were not published again: joined to what is in flight, or delivered before.",
		More:  "`in_flight` joined one that waits for its acknowledgement, `delivered` repeated one delivered within `dedupe.window`.",
		Moves: "Goes with 504s, and with answers that senders did not get. `delivered` alone: senders repeat what they were told is done.",
	},
	{
		Name: "rtbeat_answers_total", Type: Counter, Labels: []string{"code", "reason"},
		Help: "Answers by status code and reason.",
		More: "[http-api.md](http-api.md) lists all of them. A 200 has the reason `delivered`; a sender that left before its answer counts as `499`, `client_gone`. " +
			"`/livez`, `/readyz` and `/metrics` are not counted.",
		Moves: "See [operations.md](operations.md#when-senders-are-refused), by reason.",
	},
	{
		Name: "rtbeat_ack_duration_seconds", Type: Histogram,
		Help:  "Time from the end of a body to the last acknowledgement of its batch, for batches answered 200.",
		More:  "Empty ones are not in it. In durable mode it ends when the batch is on the disk.",
		Moves: "When the upper quantiles come near `rtbeat.timeout`, 504s are next. Look at Logstash first, or at the disk in durable mode.",
		// Dense around the default timeout of 5 s, where 200 turns into 504.
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 4, 5, 7.5, 10, 15, 30, 60},
	},
	{
		Name: "rtbeat_timeout_seconds", Type: Gauge,
		Help:  "How long a batch waits for its acknowledgement before it is answered 504 (timeout).",
		Moves: "Never while the process lives. Compare the quantiles of `rtbeat_ack_duration_seconds` with it, not with a number.",
	},
	{
		Name: "rtbeat_batches_received", Type: Untyped,
		Help:  "The same as rtbeat_batches_total, under its old name.",
		Moves: "Kept for dashboards of the first rtbeat.",
	},
	{
		Name: "rtbeat_messages_parsed", Type: Untyped,
		Help:  "The same as rtbeat_messages_total, under its old name.",
		Moves: "Kept for dashboards of the first rtbeat.",
	},
}}
