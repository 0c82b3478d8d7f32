package intake

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestAPanicIsA500WithItsStackInTheLog(t *testing.T) {
	for name, breakIt := range map[string]func(*rig, *http.Request){
		"while reading":       func(_ *rig, req *http.Request) { req.Body = io.NopCloser(panicReader{}) },
		"after decoding":      func(r *rig, _ *http.Request) { hook(&r.metrics.batches, func() { panic("broken") }) },
		"after claiming":      func(r *rig, _ *http.Request) { hook(&r.metrics.dedupedInFlight, func() { panic("broken") }) },
		"with net/http's own": func(r *rig, _ *http.Request) { hook(&r.metrics.batches, func() { panic(http.ErrAbortHandler) }) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			req := r.request(messages(2))
			req.Header.Set("Traceparent", aTraceparent)
			breakIt(r, req)
			r.do(req).requireAnswer(panicked)
			require.Contains(t, r.log.text(), "panic while serving a request")
			require.Contains(t, r.log.text(), "(*post).serve", "the stack")
			require.Len(t, r.log.about(panicked), 1)
			require.Equal(t, 2, strings.Count(r.log.text(), "trace.id:"+aTrace), "in both lines")
			r.requireAnswers("500 internal_error")
		})
	}
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("broken") }

func TestAPanicKeepsTheBytesOfMessagesInThePipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		hook(&r.metrics.withdrawn, func() { panic("broken") })
		c := r.start(r.request(messages(2)))
		job := r.take()
		job.handOver(1)
		c.requireAnswer(panicked)
		job.requireNoMore(t)
		require.EqualValues(t, messageWeight, r.admission.Used())
		job.ack(1)
		r.requireAtRest()
	})
}

func TestAPanicWhileWithdrawingGivesTheBytesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		hook(&r.metrics.withdrawn, func() { panic("broken") })
		r.do(r.request(messages(2))).requireAnswer(panicked)
	})
}

func TestAHandlerThatWritesNothingIsNoSuccess(t *testing.T) {
	r := newRig(t)
	handler := r.replier().handle(r.server.endpoints[0], func(http.ResponseWriter, *http.Request) result { return result{} })
	c := start(t, handler, r.request(messages(1)))
	c.requireAnswer(panicked)
}
