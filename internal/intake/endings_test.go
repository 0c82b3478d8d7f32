package intake

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
)

// endings has a request for each outcome of a batch. None of them leaves anything in the pipeline.
func (r *rig) endings() map[outcome]func() *call {
	const size = 500
	whole := batchOf(size)
	r.server.endpoints[0].limits.MaxKeyBytes, r.server.endpoints[0].limits.MaxStringBytes = 300, size-11
	storing := func(err error) func() *call {
		return func() *call {
			r.server.handler.Store = &fakeStore{err: err}
			defer func() { r.server.handler.Store = nil }()
			return r.do(r.request(whole))
		}
	}
	with := func(key, value string) func() *call {
		return func() *call {
			req := r.request(whole)
			req.Header.Set(key, value)
			return r.do(req)
		}
	}
	send := func(body string) func() *call { return func() *call { return r.do(r.request(body)) } }
	breakOff := func(err error) func() *call {
		return func() *call {
			return r.do(r.chunked(io.MultiReader(strings.NewReader(whole), brokenReader{err})))
		}
	}
	publishing := func(work func(*taken)) func() *call {
		return func() *call {
			go func() { work(r.take()) }()
			return r.do(r.request(whole))
		}
	}
	return map[outcome]func() *call{
		panicked: func() *call {
			defer hook(&r.metrics.dedupedInFlight, func() { panic("broken") })()
			return r.do(r.request(whole))
		},
		delivered:       publishing((*taken).deliver),
		ackTimeout:      send(whole),
		emptyBody:       send(""),
		malformedJSON:   send(whole[:size-1]),
		tooDeep:         send(`{"a":` + strings.Repeat("[", 200)),
		keyTooLong:      send(`[{"` + strings.Repeat("k", 301) + `":1}]`),
		stringTooLong:   send(`[{"":"` + strings.Repeat("s", size-10) + `"}]`),
		wrongShape:      send(`[1]`),
		sizeMismatch:    send(`{"size":1,"messages":[]}`),
		corruptEncoding: with("Content-Encoding", "gzip"),
		unauthorized:    with("Authorization", "Bearer wrong"),
		forbidden: func() *call { // the names of certificates are tested over TLS
			return r.reply(r.replier(), result{outcome: forbidden})
		},
		tooManyMessages:     send("[" + strings.Repeat("{},", 10) + "{}]"),
		batchTooLarge:       send(`[{"a":[` + strings.Repeat(`{"":0},`, 60) + `0]}]`),
		bodyTruncated:       breakOff(io.ErrUnexpectedEOF),
		bodyTimeout:         breakOff(os.ErrDeadlineExceeded),
		bodyTooLarge:        func() *call { return r.do(r.chunked(strings.NewReader(batchOf(size + 1)))) },
		unsupportedType:     with("Content-Type", "text/plain"),
		unsupportedEncoding: with("Content-Encoding", "br"),
		queueFull:           storing(diskqueue.ErrFull),
		queueFailed:         storing(io.ErrShortWrite),
		inFlightLimit: func() *call {
			other, err := r.admission.Open(1)
			require.NoError(r.t, err)
			require.NoError(r.t, other.Grow(r.admission.Limit()))
			defer other.Release()
			return r.do(r.chunked(strings.NewReader(whole)))
		},
		outputStalled: func() *call {
			reservation, err := r.admission.Open(0)
			require.NoError(r.t, err)
			other, err := r.registry.Claim([]batch.Message{{}}, inflight.Origin{}, reservation)
			require.NoError(r.t, err)
			_, event, _ := other.Next()
			event.ReachOutput()
			<-time.After(30 * time.Second)
			defer func() {
				r.registry.Ack([]any{event})
				other.Withdraw()
			}()
			return r.do(r.request(whole))
		},
		outputRejected: publishing(func(job *taken) {
			job.handOverAll()
			job.event().Reject()
			job.ack(len(job.events))
		}),
		processorFailed: publishing(func(job *taken) {
			_, event, _ := job.Next()
			event.Drop(&inflight.ProcessorError{Processor: "fingerprint"})
		}),
		joinedFiltered: func() *call {
			reservation, err := r.admission.Open(0)
			require.NoError(r.t, err)
			same, err := batch.Decode([]byte(`[{"uuid":"same"}]`), batch.Options{Identity: batch.Identity{Fields: []string{"uuid"}}})
			require.NoError(r.t, err)
			other, err := r.registry.Claim(same.Messages, inflight.Origin{}, reservation)
			require.NoError(r.t, err)
			_, event, _ := other.Next()
			c := r.start(r.request(`[{"uuid":"same"}]`))
			synctest.Wait() // until it has joined
			event.Filter()
			require.NoError(r.t, other.Wait(r.t.Context()))
			return c
		},
		stopping: publishing(func(job *taken) {
			job.handOver(1)
			job.event().Drop(inflight.ErrDropped)
		}),
		clientGone: func() *call {
			ctx, leave := context.WithCancel(r.t.Context())
			go func() {
				r.take()
				leave()
			}()
			return r.do(r.request(whole).WithContext(ctx))
		},
	}
}

// All outcomes, one after the other on one server: a byte that any of them keeps shows at once.
func TestNoOutcomeKeepsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(l *limits) {
			l.MaxBody, l.MaxMessages, l.InFlight = 500, 10, 3000
			var err error
			l.Authenticator, err = auth.New(tokens(bearer))
			require.NoError(t, err)
		})
		for want, end := range r.endings() {
			before := number(r.metrics.ackDuration)
			c := end()
			if want == clientGone {
				require.Equal(t, http.ErrAbortHandler, c.panicked)
			} else {
				c.requireAnswer(want)
			}
			require.Equal(t, 1, r.metrics.answered()[labels(want)], labels(want))
			r.requireAtRest()
			if want != delivered {
				require.NotEqual(t, http.StatusOK, outcomes[want].status)
				require.Equal(t, before, number(r.metrics.ackDuration))
			}
		}
	})
}

func TestEveryOutcomeHasAnEnding(t *testing.T) {
	endings := newRig(t).endings()
	for o := range outcomes {
		switch o := outcome(o); {
		case o == notFound, o == methodNotAllowed, o.health(): // of other paths
		case o == challenged: // takes a preset: TestChallenges
		case o == headerTimeout: // no handler is called
		default:
			require.Contains(t, endings, o, outcomes[o].reason)
		}
	}
}
