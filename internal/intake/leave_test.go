package intake

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/listen"
)

// From Leave on, each answer closes its connection, also an answer that reply does not write.
func TestEachAnswerClosesItsConnectionFromLeaveOn(t *testing.T) {
	r := newRig(t, quick, func(l *limits) { l.CORS.AllowedOrigins = []string{"*"} })
	r.deliverAll()
	addr := r.serve()
	ask := func(w *wire, request string) (code int, closes bool) {
		w.send(request)
		got := w.receive()
		return got.code, got.closes
	}
	requests := map[string]int{
		postOf(messages(1)): http.StatusOK,
		postOf("{"):         http.StatusBadRequest,
		postOf("[{}]", "Content-Type: text/plain"):                                                            http.StatusUnsupportedMediaType,
		"POST /nowhere HTTP/1.1\r\nHost: a\r\n\r\n":                                                           http.StatusNotFound,
		"PUT /in HTTP/1.1\r\nHost: a\r\n\r\n":                                                                 http.StatusMethodNotAllowed,
		"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n":                                                              http.StatusOK,
		"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n":                                                            http.StatusOK,
		"OPTIONS /in HTTP/1.1\r\nHost: a\r\nOrigin: https://a\r\nAccess-Control-Request-Method: POST\r\n\r\n": http.StatusNoContent,
	}
	kept := make(map[string]*wire)
	for request, want := range requests {
		kept[request] = dial(t, addr)
		code, closes := ask(kept[request], request)
		require.Equal(t, want, code, request)
		require.False(t, closes, "before Leave: %s", request)
	}
	r.server.Leave()
	for request, want := range requests {
		code, closes := ask(kept[request], request)
		require.Equal(t, want, code, request)
		require.True(t, closes, "after Leave: %s", request)
		kept[request].requireClosed()
	}
}

// Leave closes no connection, and ends no request.
func TestConnectionsGoOnUntilTheirNextAnswer(t *testing.T) {
	r := newRig(t, quick, func(l *limits) { l.Connections = listen.NewBound(10); l.ReadTimeout = patience })
	addr := r.serve()
	waits, body, idle := dial(t, addr), dial(t, addr), dial(t, addr)
	idle.requireReusable(r)
	waits.send(postOf(messages(1)))
	job := r.take()
	batch := postOf(messages(1))
	body.send(batch[:len(batch)-5])
	require.Eventually(t, func() bool { return number(r.metrics.requests) == 2 }, patience, time.Millisecond)

	r.server.Leave()
	job.deliver()
	waits.requireLastAnswer(delivered)
	body.send(batch[len(batch)-5:])
	r.take().deliver()
	body.requireLastAnswer(delivered)
	late := dial(t, addr)
	for _, w := range []*wire{idle, late} {
		w.send(batch)
		r.take().deliver()
		w.requireLastAnswer(delivered)
	}
}

// aged says that the connections of some requests are old.
type aged struct {
	anyConnections
	isOld *atomic.Bool
}

func (a aged) IsOld(_ context.Context, at time.Time) bool {
	return a.isOld.Load() && time.Since(at) < brief
}

// The next success on an old connection ends it, whoever writes the answer. Any other answer leaves it to the retry.
func TestTheNextSuccessOnAnOldConnectionEndsIt(t *testing.T) {
	var isOld atomic.Bool
	r := newRig(t, quick, func(l *limits) { l.Connections = aged{isOld: &isOld} })
	addr := r.serve()
	w, scrape := dial(t, addr), dial(t, addr)
	w.requireReusable(r)
	scrape.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
	require.False(t, scrape.receive().closes)
	isOld.Store(true)
	w.send(postOf("{"))
	require.False(t, w.requireAnswer(malformedJSON), "Connection: close")
	w.send(postOf(messages(1)))
	r.take().deliver()
	w.requireLastAnswer(delivered)
	scrape.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
	require.True(t, scrape.receive().closes)
	scrape.requireClosed()
}
