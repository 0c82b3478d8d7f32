package intake

// outcome is one way in which a request can end.
type outcome int

// Every outcome. The zero value is a defect, never a success.
const (
	panicked outcome = iota
	delivered
	challenged
	ackTimeout
	outputRejected
	processorFailed
	emptyBody
	malformedJSON
	tooDeep
	keyTooLong
	stringTooLong
	wrongShape
	sizeMismatch
	corruptEncoding
	bodyTruncated
	unauthorized
	forbidden
	notFound
	methodNotAllowed
	headerTimeout
	bodyTimeout
	bodyTooLarge
	tooManyMessages
	batchTooLarge
	unsupportedType
	unsupportedEncoding
	inFlightLimit
	outputStalled
	joinedFiltered
	queueFull
	queueFailed
	stopping
	clientGone

	// Answers of /livez and /readyz. They are not counted with the answers to senders.
	alive
	ready
	degraded
	starting
	stalled
	high
	full
	failed
	leaving
)

// level is the level of the log line of an outcome.
type level string

const (
	quiet   level = "debug"
	warn    level = "warn"
	failure level = "error"
)

// outcomes is the table of all answers. `make generate` writes it into the documentation (AnswerDocs). Only reply writes a status.
//
//   - status: the HTTP status code
//   - word: the field "status" of the answer
//   - reason: the metric's label, and the field "reason" (answerReason)
//   - phrase: the field "message"; a fixed text without bytes of the request
//   - retry: the same request may succeed later, so the answer has Retry-After
//   - close: the connection ends with the answer, because the rest of the request was not read, or to move the
//     sender away
//   - situation: when rtbeat answers so, for docs/http-api.md; Markdown
var outcomes = [...]struct {
	status int
	word   string
	reason string
	phrase string
	level  level
	retry  bool
	close  bool

	situation string
}{
	panicked: {
		500, fail, "internal_error", "rtbeat failed on this request; its log says how. Send the batch again", failure, false, true,
		"A defect in rtbeat, or a processor that panics on an event; never load.",
	},
	delivered: {
		200, ok, "delivered", "", quiet, false, false,
		"Every event of the batch is acknowledged, or `messages` is empty. In [durable mode](durable.md): the batch is on the local disk. `reason` is not in the body.",
	},
	challenged: {
		200, ok, "challenge", "", quiet, false, false,
		"A sender asks whether the address is its own, as the [preset](configuration.md#presets) of the source knows. rtbeat publishes nothing. The body is the answer that the sender wants, without `status` and `reason`.",
	},
	ackTimeout: {
		504, "TIMEOUT", ReasonAckTimeout, "the batch was not acknowledged in time. Keep it and send it again", warn, true, false,
		"Not acknowledged within `timeout`: by the output or, in durable mode, by the disk.",
	},
	outputRejected: {
		502, fail, ReasonOutputRejected, "the output gave messages of this batch up; the log says why. Keep the batch and send it again: what was delivered is not published twice", failure, true, false,
		"Memory mode only. The output is done with every event of the batch, and gave some of them up.",
	},
	processorFailed: {
		500, fail, "processor_failed", "a processor of rtbeat's configuration failed on a message of this batch; the log says more. Keep the batch and send it again when the configuration is mended", failure, false, false,
		"Memory mode only. A processor of the configuration failed on a message of the batch. `processor` names it. Other messages of the batch may be delivered.",
	},
	emptyBody: {
		400, fail, "empty_body", "there is no body. Send a JSON object with a messages array, a JSON array of objects, or NDJSON", warn, false, false,
		"No body, or nothing but white space.",
	},
	malformedJSON: {
		400, fail, "malformed_json", "the body is not valid JSON", warn, false, false,
		"Not JSON, or not strict.",
	},
	tooDeep: {
		400, fail, "too_deep", "the body is nested more deeply than rtbeat.max_depth", warn, false, false,
		"A message, or another value, of more than `max_depth` levels.",
	},
	keyTooLong: {
		400, fail, "key_too_long", "a message has an object key that is longer than rtbeat.max_key_bytes", warn, false, false,
		"A message with an object key of more than `max_key_bytes`.",
	},
	stringTooLong: {
		400, fail, "string_too_long", "a message has a string of more than 20,000,000 bytes, which Logstash may be unable to read", warn, false, false,
		"A string of a message of more than 20,000,000 bytes, or a number of as many digits that [becomes a string](#the-event).",
	},
	wrongShape: {
		400, fail, "wrong_shape", "the body has a value that is no message. Send JSON objects, arrays of objects, or one batch", warn, false, false,
		"JSON, but not [messages](#what-a-body-is): a value that is neither object nor array, an element that is no object, a `size` that is no number, a batch among other values.",
	},
	sizeMismatch: {
		400, fail, "size_mismatch", "size is not the number of messages", warn, false, false,
		"`size` is not the number of messages.",
	},
	bodyTruncated: {
		400, fail, "body_truncated", "the body ended before it was complete. Send it again", warn, false, true,
		"The body ended before its length, or its chunks are broken.",
	},
	corruptEncoding: {
		400, fail, "corrupt_encoding", "the body is not what its Content-Encoding says, or is not complete", warn, false, false,
		"The body is not what its `Content-Encoding` says: broken, cut off, or followed by something else.",
	},
	unauthorized: {
		401, fail, "unauthorized", "there are no credentials, or they are wrong. The WWW-Authenticate header says which are wanted", warn, false, false,
		"No credentials, or wrong ones. `WWW-Authenticate` says which are wanted.",
	},
	forbidden: {
		403, fail, "forbidden", "the client certificate is valid, but its names are not among those that may send here (rtbeat.auth.certificate.names)", warn, false, false,
		"The client certificate is valid, but has none of `auth.certificate.names`.",
	},
	notFound: {
		404, fail, "not_found", "there is nothing here. Batches go to POST /in", quiet, false, false,
		"Another path.",
	},
	methodNotAllowed: {
		405, fail, "method_not_allowed", "this path does not take this method; see the Allow header", quiet, false, false,
		"Another method; `Allow` has the right ones.",
	},
	headerTimeout: {
		408, fail, "header_timeout", "the headers came too slowly (rtbeat.read_timeout). Send the request again", warn, false, true,
		"A new connection, on which the headers took longer than `read_timeout`. HTTP/1 only.",
	},
	bodyTimeout: {
		408, fail, "body_timeout", "the body came too slowly (rtbeat.read_timeout). Send it again", warn, false, true,
		"The body took longer than `read_timeout`.",
	},
	bodyTooLarge: {
		413, fail, "body_too_large", "the body, or what it decompresses to, is larger than rtbeat.max_body_bytes. Send smaller batches or raise the limit", failure, false, true,
		"More than `max_body_bytes`, on the wire or decompressed. rtbeat reads no further. [Little memory](operations.md#memory) lowers the limit.",
	},
	tooManyMessages: {
		413, fail, "too_many_messages", "the batch has more messages than rtbeat.max_messages. Send smaller batches or raise the limit", failure, false, false,
		"More than `max_messages`.",
	},
	batchTooLarge: {
		413, fail, "batch_too_large", "decoded, the batch takes more than the whole of rtbeat.max_in_flight_bytes. Send smaller batches or raise the limit", failure, false, true,
		"Decoded, the batch takes more than the whole of `max_in_flight_bytes` (half of it in durable mode). [Tiny values](operations.md#memory) take a multiple of their text.",
	},
	unsupportedType: {
		415, fail, "unsupported_media_type", "the content type is neither application/json nor application/x-ndjson, or its charset is not UTF-8", warn, false, false,
		"Another content type or charset. `Accept` has the right ones.",
	},
	unsupportedEncoding: {
		415, fail, "unsupported_encoding", "the content encoding is not one of those in Accept-Encoding, or there are several, or it needs a dictionary or a window of more than 8 MiB. Send one of them, or the body as it is", warn, false, false,
		"Another content encoding, or several, or a dictionary or a window of more than 8 MiB. `Accept-Encoding` has the right ones.",
	},
	inFlightLimit: {
		503, fail, ReasonInFlightLimit, "as much as rtbeat.max_in_flight_bytes allows waits for the output. Nothing of this batch was taken; send it again", warn, true, false,
		"`max_in_flight_bytes` (half of it in durable mode) was reached, and an eighth of it is not free yet. Or the body came slowly, and [gave way](operations.md#abuse) to others. rtbeat took nothing of the batch.",
	},
	outputStalled: {
		503, fail, "output_stalled", "the output has acknowledged nothing for rtbeat.stall_after. Nothing of this batch was taken; send it again", warn, true, false,
		"Memory mode only. The output has acknowledged nothing for `stall_after`, and the batch has messages that are not in flight. rtbeat took nothing of the batch.",
	},
	joinedFiltered: {
		503, fail, "joined_filtered", "a message of this batch was in flight for another request, and a processor dropped it there. Send the batch again: the processors will look at this request", quiet, true, false,
		"Memory mode only. A message of the batch was in flight for another request, and a processor dropped it there. Other messages of the batch may be delivered. The next attempt [runs the processors](delivery.md#filtered-messages) for this request.",
	},
	queueFull: {
		503, fail, ReasonQueueFull, "the queue on disk is full: rtbeat.durable.max_bytes is reached, or the disk is full. Nothing of this batch was taken; send it again", warn, true, false,
		"[Durable mode](durable.md) only. The queue on disk has `durable.max_bytes`, or the disk is full. rtbeat took nothing of the batch.",
	},
	queueFailed: {
		503, fail, ReasonQueueFailed, "rtbeat failed to write this batch to the queue on disk; the log says why. Keep the batch and send it again", failure, true, false,
		"Durable mode only. rtbeat failed to write the batch to the queue on disk. The log has the error. The batch may be delivered all the same after a restart.",
	},
	stopping: {
		503, fail, "stopping", "rtbeat is stopping. Send the batch again, to another instance or later", quiet, true, true,
		"`shutdown_timeout` is over, and the batch is not acknowledged. Messages of the batch may be delivered.",
	},
	clientGone: {
		statusClientGone, "", ReasonClientGone, "", quiet, false, true,
		"The sender left before its answer, or rtbeat closed the connection for another one before the body was complete (`max_connections`). rtbeat sends nothing. The number is for the metric.",
	},
	alive: {
		200, ok, "alive", "", quiet, false, false,
		"always",
	},
	ready: {
		200, ok, "ready", "", quiet, false, false,
		"rtbeat takes batches",
	},
	degraded: {
		200, ok, "degraded", "the output has acknowledged nothing for rtbeat.stall_after. rtbeat takes batches and keeps them on disk", quiet, false, false,
		"[durable mode](durable.md): rtbeat stores batches, and the output has acknowledged nothing for `stall_after`",
	},
	starting: {
		503, fail, "starting", "rtbeat is starting", quiet, false, false,
		"before rtbeat serves. Only the admin listener answers then",
	},
	stalled: {
		503, fail, "output_stalled", "the output has acknowledged nothing for rtbeat.stall_after, although it has events to acknowledge", quiet, false, false,
		"memory mode: the output owes acknowledgements, and has sent none for `stall_after`",
	},
	high: {
		503, fail, "in_flight_high", "nine tenths of rtbeat.max_in_flight_bytes waited for the output, and it has not been down to three quarters since", quiet, false, false,
		"nine tenths of `max_in_flight_bytes` (of half of it in durable mode) were in flight, and three quarters were not reached since",
	},
	full: {
		503, fail, ReasonQueueFull, "the queue on disk is full: rtbeat.durable.max_bytes is reached, or the disk is full", quiet, false, false,
		"durable mode: the queue on disk has no space. rtbeat looks for space each second",
	},
	failed: {
		503, fail, ReasonQueueFailed, "rtbeat fails to write to the queue on disk; the log says why", quiet, false, false,
		"durable mode: a write to the queue on disk failed, and rtbeat tries again each second; or [a file is damaged](durable.md#a-damaged-file)",
	},
	leaving: {
		503, fail, "stopping", "rtbeat is stopping", quiet, false, false,
		"from the signal on. After `shutdown_delay` rtbeat closes the port, and only the admin listener answers",
	},
}

const (
	ok   = "OK"
	fail = "FAIL"

	// statusClientGone counts a request whose sender left before the answer; nothing is sent. nginx uses the same number.
	statusClientGone = 499
)

// answerReason returns the field "reason" of the answer. It is empty where the answer has no message either.
func (o outcome) answerReason() string {
	if outcomes[o].phrase == "" {
		return ""
	}
	return outcomes[o].reason
}

// health tells whether an outcome is an answer of /livez or /readyz.
func (o outcome) health() bool { return o >= alive }
