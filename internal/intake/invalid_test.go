package intake

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/source"
)

// A message that is not valid refuses its body, or is counted in the answer and by its reason.
func TestMessagesThatAreNotValid(t *testing.T) {
	const body = "{\"a\":1}\n{\"a\":NaN}\n{\"a\":{\"b\":{\"c\":1}}}\n"
	r := newRig(t, func(l *limits) {
		l.MaxDepth = 2
		lenient := sourceAt(t, "lenient", "/lenient", "")
		lenient.OnInvalid = source.InvalidEvent
		l.Others = []Source{lenient}
	})
	r.deliverAll()
	ask := func(path, body string) *call {
		req := r.request(body)
		req.URL.Path = path
		req.Header.Set("Content-Type", "application/x-ndjson")
		return r.do(req)
	}
	ask("/in", body).requireAnswer(malformedJSON)
	require.JSONEq(t, `{"status":"OK","ack":"delivered","messages":3,"coalesced":0,"filtered":0,"invalid":2}`, ask("/lenient", body).requireAnswer(delivered))
	require.JSONEq(t, `{"status":"OK","ack":"delivered","messages":1,"coalesced":0,"filtered":0,"invalid":0}`, ask("/lenient", `{"a":1}`).requireAnswer(delivered))
	require.JSONEq(t, `{"status":"OK","ack":"delivered","messages":1,"coalesced":0,"filtered":0}`, ask("/in", `{"a":1}`).requireAnswer(delivered))
	ask("/lenient", " \n").requireAnswer(emptyBody)
	invalid := r.metrics.counters.of("lenient").invalid
	require.Equal(t, []int{1, 1, 0}, []int{number(invalid["malformed_json"]), number(invalid["too_deep"]), number(invalid["wrong_shape"])})
}

// Every reason of a message has a series, and no reason of a body alone.
func TestReasonsOfMessages(t *testing.T) {
	for reason, o := range bodyRefusals {
		isOfBody := o == emptyBody || o == sizeMismatch || o == tooManyMessages
		require.NotEqual(t, isOfBody, slices.Contains(invalidReasons, string(reason)), reason)
	}
}
