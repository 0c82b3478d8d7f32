package intake

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
)

// endings has a request for each way in which a batch can end. None of them leaves anything in the pipeline.
func (r *rig) endings() map[outcome]func() *call {
	const size = 500
	whole := batchOf(size)
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
	publishing := func(publish func(published)) func() *call {
		return func() *call {
			r.publisher.onPublish = publish
			return r.do(r.request(whole))
		}
	}
	return map[outcome]func() *call{
		panicked:            publishing(func(published) { panic("broken") }),
		delivered:           publishing(published.deliver),
		ackTimeout:          publishing(func(published) {}),
		emptyBody:           send(""),
		malformedJSON:       send(whole[:size-1]),
		tooDeep:             send(`{"a":` + strings.Repeat("[", 200)),
		wrongShape:          send(`[]`),
		sizeMismatch:        send(`{"size":1,"messages":[]}`),
		bodyTruncated:       breakOff(io.ErrUnexpectedEOF),
		bodyTimeout:         breakOff(os.ErrDeadlineExceeded),
		bodyTooLarge:        func() *call { return r.do(r.chunked(strings.NewReader(batchOf(size + 1)))) },
		unsupportedType:     with("Content-Type", "text/plain"),
		unsupportedEncoding: with("Content-Encoding", "zstd"),
		inFlightLimit: func() *call {
			other, err := r.admission.Open(1)
			require.NoError(r.t, err)
			require.NoError(r.t, other.Grow(r.admission.Limit()))
			defer other.Release()
			return r.do(r.chunked(strings.NewReader(whole)))
		},
		stopping: publishing(func(job published) {
			job.handOver(1)
			job.token.Drop(inflight.ErrDropped)
		}),
		clientGone: func() *call {
			ctx, leave := context.WithCancel(r.t.Context())
			r.publisher.onPublish = func(published) { leave() }
			return r.do(r.request(whole).WithContext(ctx))
		},
	}
}

// One ending after the other on one server: a byte kept by any of them shows at once.
func TestNoEndingKeepsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(l *limits) { l.MaxBody = 500 })
		for want, end := range r.endings() {
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
				require.Empty(t, r.metrics.deliveries)
			}
			r.metrics.deliveries = nil
		}
	})
}

func TestTheEndingsAreAllThereAre(t *testing.T) {
	endings := newRig(t).endings()
	for o := range outcomes {
		switch o := outcome(o); {
		case o == notFound, o == methodNotAllowed, o.health(): // of other paths
		default:
			require.Contains(t, endings, o, outcomes[o].reason)
		}
	}
}
