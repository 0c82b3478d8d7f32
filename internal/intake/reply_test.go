package intake

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// reply answers a request with this result.
func (r *rig) reply(replier *replier, res result) *call {
	c := start(r.t, replier.handle(r.giving(replier, res.outcome), func(http.ResponseWriter, *http.Request) result { return res }), r.request(""))
	c.wait()
	return c
}

// giving returns an endpoint that gives such an answer.
func (r *rig) giving(replier *replier, o outcome) *endpoint {
	if e := r.server.endpoints[0]; e.counters.answers[o] != nil {
		return e
	}
	return replier.nowhere
}

func TestEveryOutcomeIsAnsweredAsTheTableSays(t *testing.T) {
	for i, o := range outcomes {
		t.Run(o.reason, func(t *testing.T) {
			r := newRig(t)
			c := r.reply(r.replier(), result{outcome: outcome(i), challenge: []string{"Bearer"}})
			if outcome(i) == clientGone {
				require.Equal(t, http.ErrAbortHandler, c.panicked)
				require.Empty(t, c.recorder.Body.String())
			} else {
				c.requireAnswer(outcome(i))
			}
			if outcome(i).health() {
				r.requireAnswers()
				require.Empty(t, r.log.text(), "probes come every second")
			} else {
				r.requireAnswers(labels(outcome(i)))
			}
		})
	}
}

func TestTheTextForTheSenderFollowsThePhraseAndTheErrorStaysInTheLog(t *testing.T) {
	r := newRig(t)
	index, offset := 3, int64(70)
	c := r.reply(r.replier(), result{
		outcome: wrongShape,
		say:     "a message is no object",
		err:     errors.New("for the log alone"),
		detail:  detail{Index: &index, Offset: &offset},
	})
	require.JSONEq(t, `{
		"status": "FAIL",
		"reason": "wrong_shape",
		"message": "the body has a value that is no message. Send JSON objects, arrays of objects, or one batch: a message is no object",
		"index": 3,
		"offset": 70
	}`, c.requireAnswer(wrongShape))
	lines := r.log.about(wrongShape)
	require.Len(t, lines, 1)
	require.Positive(t, lines[0].fields["event.duration"])
	delete(lines[0].fields, "event.duration")
	require.Equal(t, map[string]any{
		"reason":                    "wrong_shape",
		"source":                    "in",
		"http.response.status_code": 400,
		"client.address":            "192.0.2.1",
		"http.request.id":           c.recorder.Header().Get("X-Request-ID"),
		"error.message":             "for the log alone",
		"suppressed":                int64(0),
	}, lines[0].fields)
}

func TestALogLineHasTheDurationOfItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := r.start(r.request(messages(1)))
		job := r.take()
		job.handOverAll()
		c.requireAnswer(ackTimeout)
		require.Equal(t, (5 * time.Second).Nanoseconds(), r.log.about(ackTimeout)[0].fields["event.duration"])
		job.ack(1)
	})
}

func TestRetryAfterIsSpreadOverItsWholeRange(t *testing.T) {
	r := newRig(t)
	replier := r.replier()
	seen := make(map[int]bool)
	for range 500 {
		header := r.reply(replier, result{outcome: inFlightLimit}).recorder.Header()
		seconds, err := strconv.Atoi(header.Get("Retry-After"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, seconds, retryAfterMin)
		require.LessOrEqual(t, seconds, retryAfterMax)
		seen[seconds] = true
	}
	require.Len(t, seen, retryAfterMax-retryAfterMin+1)
}

func TestEachOutcomeIsLoggedAtItsLevel(t *testing.T) {
	want := map[level]string{quiet: "debug", warn: "warn", failure: "error"}
	for i, o := range outcomes {
		if outcome(i).health() {
			continue
		}
		r := newRig(t)
		r.reply(r.replier(), result{outcome: outcome(i)})
		lines := r.log.about(outcome(i))
		require.Len(t, lines, 1, o.reason)
		require.Equal(t, want[o.level], lines[0].level, o.reason)
	}
}

func TestAFloodOfRefusalsIsOneLineASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		replier := r.replier()
		refuse := func(o outcome, times int) {
			for range times {
				r.reply(replier, result{outcome: o})
			}
		}
		suppressed := func(o outcome) (counts []int64) {
			for _, line := range r.log.about(o) {
				counts = append(counts, line.fields["suppressed"].(int64))
			}
			return counts
		}

		refuse(inFlightLimit, 10)
		require.Equal(t, []int64{0}, suppressed(inFlightLimit))
		refuse(wrongShape, 1)
		require.Equal(t, []int64{0}, suppressed(wrongShape), "each outcome has its own line")

		<-time.After(logInterval - time.Nanosecond)
		refuse(inFlightLimit, 1)
		require.Equal(t, []int64{0}, suppressed(inFlightLimit))
		<-time.After(time.Nanosecond)
		refuse(inFlightLimit, 5)
		require.Equal(t, []int64{0, 10}, suppressed(inFlightLimit))
		<-time.After(time.Hour)
		refuse(inFlightLimit, 1)
		require.Equal(t, []int64{0, 10, 4}, suppressed(inFlightLimit))

		require.Equal(t, map[string]int{"503 in_flight_limit": 17, "400 wrong_shape": 1}, r.metrics.answered(), "all are counted")
	})
}
