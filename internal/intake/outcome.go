package intake

import (
	"slices"

	"github.com/txn2/rtbeat/internal/batch"
)

// outcome is one way in which a request can end.
type outcome int

// Every way in which a request can end. The zero value is a bug, never a success.
const (
	panicked outcome = iota
	delivered
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

	// What health answers, which is not counted with the answers to senders.
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

// level says who should look at it: nobody, somebody, or somebody must.
type level int

const (
	quiet level = iota // debug
	warn
	failure // error
)

// outcomes is the one table of answers; docs/http-api.md shows it. Nothing else writes a status.
//
//   - status: the HTTP status code
//   - word: the field "status" of the answer
//   - reason: the metric's label, and the field "reason" (answerReason)
//   - phrase: the field "message"; a fixed text that never holds bytes of the request
//   - retry: the same request may succeed later, so the answer carries Retry-After
//   - close: the connection ends with the answer, because the rest of the request was not read, or to move the
//     sender away
var outcomes = [...]struct {
	status int
	word   string
	reason string
	phrase string
	level  level
	retry  bool
	close  bool
}{
	panicked:            {500, fail, "internal_error", "rtbeat failed on this request; its log says how. Send the batch again", failure, false, true},
	delivered:           {200, ok, "delivered", "", quiet, false, false},
	ackTimeout:          {504, "TIMEOUT", "ack_timeout", "the batch was not acknowledged in time. Keep it and send it again", warn, true, false},
	outputRejected:      {502, fail, "output_rejected", "the output gave messages of this batch up; the log says why. Keep the batch and send it again: what was delivered is not published twice", failure, true, false},
	processorFailed:     {500, fail, "processor_failed", "a processor of rtbeat's configuration failed on a message of this batch; the log says more. Keep the batch and send it again when the configuration is mended", failure, false, false},
	emptyBody:           {400, fail, "empty_body", "there is no body. Send a JSON object with a messages array, a JSON array of objects, or NDJSON", warn, false, false},
	malformedJSON:       {400, fail, "malformed_json", "the body is not valid JSON", warn, false, false},
	tooDeep:             {400, fail, "too_deep", "the body is nested more deeply than rtbeat.max_depth", warn, false, false},
	keyTooLong:          {400, fail, "key_too_long", "a message has an object key that is longer than rtbeat.max_key_bytes", warn, false, false},
	stringTooLong:       {400, fail, "string_too_long", "a message has a string of more than 20,000,000 bytes, which Logstash may be unable to read", warn, false, false},
	wrongShape:          {400, fail, "wrong_shape", "the body is no batch. Send a JSON object with a messages array of objects, a JSON array of objects, or NDJSON", warn, false, false},
	sizeMismatch:        {400, fail, "size_mismatch", "size is not the number of messages", warn, false, false},
	bodyTruncated:       {400, fail, "body_truncated", "the body ended before it was complete. Send it again", warn, false, true},
	corruptEncoding:     {400, fail, "corrupt_encoding", "the body is not what its Content-Encoding says, or is not complete", warn, false, false},
	unauthorized:        {401, fail, "unauthorized", "there are no credentials, or they are wrong. The WWW-Authenticate header says which are wanted", warn, false, false},
	forbidden:           {403, fail, "forbidden", "the client certificate is valid, but its names are not among those that may send here (rtbeat.auth.certificate.names)", warn, false, false},
	notFound:            {404, fail, "not_found", "there is nothing here. Batches go to POST /in", quiet, false, false},
	methodNotAllowed:    {405, fail, "method_not_allowed", "this path does not take this method; see the Allow header", quiet, false, false},
	headerTimeout:       {408, fail, "header_timeout", "the headers came too slowly (rtbeat.read_timeout). Send the request again", warn, false, true},
	bodyTimeout:         {408, fail, "body_timeout", "the body came too slowly (rtbeat.read_timeout). Send it again", warn, false, true},
	bodyTooLarge:        {413, fail, "body_too_large", "the body, or what it decompresses to, is larger than rtbeat.max_body_bytes. Send smaller batches or raise the limit", failure, false, true},
	tooManyMessages:     {413, fail, "too_many_messages", "the batch has more messages than rtbeat.max_messages. Send smaller batches or raise the limit", failure, false, false},
	batchTooLarge:       {413, fail, "batch_too_large", "decoded, the batch takes more than the whole of rtbeat.max_in_flight_bytes. Send smaller batches or raise the limit", failure, false, true},
	unsupportedType:     {415, fail, "unsupported_media_type", "the content type is neither application/json nor application/x-ndjson, or its charset is not UTF-8", warn, false, false},
	unsupportedEncoding: {415, fail, "unsupported_encoding", "the content encoding is not one of those in Accept-Encoding, or there are several, or it needs a dictionary or a window of more than 8 MiB. Send one of them, or the body as it is", warn, false, false},
	inFlightLimit:       {503, fail, "in_flight_limit", "as much as rtbeat.max_in_flight_bytes allows waits for the output. Nothing of this batch was taken; send it again", warn, true, false},
	outputStalled:       {503, fail, "output_stalled", "the output has acknowledged nothing for rtbeat.stall_after. Nothing of this batch was taken; send it again", warn, true, false},
	joinedFiltered:      {503, fail, "joined_filtered", "a message of this batch was in flight for another request, and a processor dropped it there. Send the batch again: the processors will look at this request", quiet, true, false},
	queueFull:           {503, fail, "queue_full", "the queue on disk is full: rtbeat.durable.max_bytes is reached, or the disk is full. Nothing of this batch was taken; send it again", warn, true, false},
	queueFailed:         {503, fail, "queue_failed", "rtbeat failed to write this batch to the queue on disk; the log says why. Keep the batch and send it again", failure, true, false},
	stopping:            {503, fail, "stopping", "rtbeat is stopping. Send the batch again, to another instance or later", quiet, true, true},
	clientGone:          {statusClientGone, "", "client_gone", "", quiet, false, true},
	alive:               {200, ok, "alive", "", quiet, false, false},
	ready:               {200, ok, "ready", "", quiet, false, false},
	degraded:            {200, ok, "degraded", "the output has acknowledged nothing for rtbeat.stall_after. rtbeat takes batches and keeps them on disk", quiet, false, false},
	starting:            {503, fail, "starting", "rtbeat is starting", quiet, false, false},
	stalled:             {503, fail, "output_stalled", "the output has acknowledged nothing for rtbeat.stall_after, although it has events to acknowledge", quiet, false, false},
	high:                {503, fail, "in_flight_high", "nine tenths of rtbeat.max_in_flight_bytes waited for the output, and it has not been down to three quarters since", quiet, false, false},
	full:                {503, fail, "queue_full", "the queue on disk is full: rtbeat.durable.max_bytes is reached, or the disk is full", quiet, false, false},
	failed:              {503, fail, "queue_failed", "rtbeat fails to write to the queue on disk; the log says why", quiet, false, false},
	leaving:             {503, fail, "stopping", "rtbeat is stopping", quiet, false, false},
}

const (
	ok   = "OK"
	fail = "FAIL"

	// statusClientGone is what a request is counted as when its sender left before the answer; nothing is sent. The
	// number is nginx's.
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

// decodeReasons are the label values of rtbeat_decode_failures_total: the reasons of the decoder, and the one of decompressing.
func decodeReasons() []string {
	reasons := []string{outcomes[corruptEncoding].reason}
	for reason := range bodyRefusals {
		reasons = append(reasons, string(reason))
	}
	slices.Sort(reasons)
	return reasons
}

// settingOf are the keys of the configuration that decide about an answer of /readyz.
var settingOf = map[outcome]string{
	starting: "rtbeat.port",
	stalled:  "rtbeat.stall_after",
	degraded: "rtbeat.stall_after",
	high:     "rtbeat.max_in_flight_bytes",
	full:     "rtbeat.durable.max_bytes",
	failed:   "rtbeat.durable.path",
	leaving:  "rtbeat.shutdown_delay",
}

// bodyRefusals maps the reasons of the decoder.
var bodyRefusals = map[batch.Reason]outcome{
	batch.EmptyBody:     emptyBody,
	batch.MalformedJSON: malformedJSON,
	batch.TooDeep:       tooDeep,
	batch.KeyTooLong:    keyTooLong,
	batch.StringTooLong: stringTooLong,
	batch.WrongShape:    wrongShape,
	batch.SizeMismatch:  sizeMismatch,

	batch.TooManyMessages: tooManyMessages,
}
