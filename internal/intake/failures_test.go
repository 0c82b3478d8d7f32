package intake

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/batch"
)

// Each reason of the decoder is counted once.
func TestUndecodableBodiesAreCounted(t *testing.T) {
	corrupt := gzipped(messages(2))
	corrupt = corrupt[:len(corrupt)-4]
	counted := make(map[string]int)
	for body, want := range map[string]string{
		"":                              string(batch.EmptyBody),
		"{":                             string(batch.MalformedJSON),
		`[1]`:                           string(batch.WrongShape),
		`{"size":2,"messages":[{}]}`:    string(batch.SizeMismatch),
		`[{"a":{"b":{"c":{"d":"e"}}}}]`: string(batch.TooDeep),
		`[{"long_key":1}]`:              string(batch.KeyTooLong),
		`[{"a":"bcdefgh"}]`:             string(batch.StringTooLong),
		`[{},{},{}]`:                    string(batch.TooManyMessages),
		corrupt:                         "corrupt_encoding",
	} {
		r := newRig(t, func(l *limits) { l.MaxDepth, l.MaxMessages, l.MaxKey = 3, 2, 7 })
		r.server.endpoints[0].limits.MaxStringBytes = 6 // no setting
		req := r.request(body)
		if want == "corrupt_encoding" {
			req.Header.Set("Content-Encoding", "gzip")
		}
		r.do(req)
		require.Equal(t, map[string]int{"decode " + want: 1}, r.metrics.failedTimes(), "%q", body)
		counted[want]++
	}
	require.Len(t, counted, len(decodeReasons()))
	for _, word := range decodeReasons() {
		require.Contains(t, counted, word)
	}
}

// Neither a refusal for another reason nor a valid batch is a failure to decode.
func TestOtherOutcomesAreNoDecodeFailures(t *testing.T) {
	r := newRig(t, func(l *limits) { l.MaxBody = 100 })
	r.deliverAll()
	r.do(r.request(messages(1)))
	r.do(r.request(strings.Repeat(" ", 101)))
	r.do(r.chunked(io.MultiReader(strings.NewReader("["), brokenReader{io.ErrUnexpectedEOF})))
	for coding, body := range map[string]string{"br": "x", "gzip": gzipped(strings.Repeat(" ", 101))} {
		req := r.request(body)
		req.Header.Set("Content-Encoding", coding)
		r.do(req)
	}
	require.Empty(t, r.metrics.failedTimes())
}

func TestRefusedCredentialsAreCounted(t *testing.T) {
	credentials := tokens(bearer)
	credentials.HMAC.Keys = auth.Unnamed("a key to sign with")
	r := newRig(t, with(credentials))
	r.deliverAll()
	post := func(name, value string) {
		req := r.request(messages(1))
		req.Header = http.Header{name: {value}}
		r.do(req)
	}
	post("Authorization", "Bearer "+bearer)
	post("Authorization", "Bearer "+marker)
	post("Authorization", marker)
	post("X-Nothing", marker)
	post("X-Signature", "sha256="+strings.Repeat("0", 64))
	require.Equal(t, map[string]int{
		"auth wrong_token": 1, "auth bad_scheme": 1, "auth missing": 1, "auth wrong_signature": 1,
	}, r.metrics.failedTimes())
	for what := range r.metrics.failedTimes() {
		require.True(t, slices.Contains(auth.Details(), strings.TrimPrefix(what, "auth ")), what)
	}
}

func TestPhase(t *testing.T) {
	r := newRig(t)
	require.Equal(t, []string{"starting", "serving", "leaving", "draining"}, phases[:])
	for p, word := range phases {
		r.server.advance(phase(p))
		require.Equal(t, word, r.server.Phase())
	}
	r.server.advance(phaseServing)
	require.Equal(t, "draining", r.server.Phase(), "it only grows")
}

// The metric shows the limit in force: rtbeat serves this number of requests without headers at once.
func TestRequestsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(l *limits) { l.InFlight = 100 << 20; l.Registry.StallAfter = 0 })
		limit := r.server.RequestsLimit()
		require.Equal(t, 25<<20/(2<<10), limit)
		for range limit {
			slot, err := r.server.handler.requests.Open(0)
			require.NoError(t, err)
			require.NoError(t, slot.Grow(requestWeight(http.Header{})))
		}
		slot, err := r.server.handler.requests.Open(0)
		if err == nil {
			err = slot.Grow(requestWeight(http.Header{}))
		}
		require.Error(t, err)
		r.do(r.request(messages(1))).requireAnswer(inFlightLimit)
	})
}
