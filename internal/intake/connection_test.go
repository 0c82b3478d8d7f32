package intake

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestABatchOverTCP(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"announced": postOf(messages(2)),
		"chunked":   head("Transfer-Encoding: chunked") + "5\r\n{\"mes\r\n1c\r\n" + `sages":[{"seq":0},{"seq":1}]` + "\r\n1\r\n}\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, quick)
			w := dial(t, r.serve())
			w.send(request)
			job := r.take()
			require.Equal(t, 2, job.Progress().Messages)
			require.Equal(t, "127.0.0.1", job.ClientIP)
			job.handOver(2)
			job.ack(1)
			<-time.After(2 * short) // longer than read_timeout, which must not end a request that waits
			require.Zero(t, w.reader.Buffered())
			job.ack(1)
			require.False(t, w.requireAnswer(delivered))
			w.requireReusable(r)
		})
	}
}

func TestAConnectionIsReusedAfterEveryAnswerThatReadTheRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(l *limits) { l.Timeout, l.InFlight = short, 500 })
	w := dial(t, r.serve())
	w.requireReusable(r)

	w.send(postOf("{"))
	require.False(t, w.requireAnswer(malformedJSON))
	w.requireReusable(r)

	w.send(postOf(messages(1), "Content-Type: text/plain"))
	require.False(t, w.requireAnswer(unsupportedType))
	w.requireReusable(r)

	w.send("POST /nowhere HTTP/1.1\r\nHost: rtbeat\r\nContent-Length: 3\r\n\r\nabc")
	require.False(t, w.requireAnswer(notFound))
	w.requireReusable(r)

	w.send(postOf(batchOf(400)))
	job := r.take()
	job.handOver(1)
	require.False(t, w.requireAnswer(ackTimeout))
	w.send(postOf(batchOf(400)))
	require.False(t, w.requireAnswer(inFlightLimit))
	job.ack(1)
	w.requireReusable(r)
}

func TestPipelinedRequestsAreAnsweredInTheirOrder(t *testing.T) {
	r := newRig(t, quick)
	w := dial(t, r.serve())
	w.send(postOf(messages(1)) + postOf("{") + postOf(messages(3)))
	first := r.take()
	require.Equal(t, 1, first.Progress().Messages)
	<-time.After(short / 5)
	require.Zero(t, r.registry.QueueLength(), "the next is taken when the first is answered")
	first.deliver()
	w.requireAnswer(delivered)
	w.requireAnswer(malformedJSON)
	third := r.take()
	require.Equal(t, 3, third.Progress().Messages)
	third.deliver()
	w.requireAnswer(delivered)
}

func TestASlowBodyIsA408AndTheEndOfTheConnection(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{
		"announced": head("Content-Length: 100") + `{"mess`,
		"chunked":   head("Transfer-Encoding: chunked") + "6\r\n" + `{"mess` + "\r\n",
		"expecting": head("Content-Length: 100", "Expect: 100-continue"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, quick)
			w := dial(t, r.serve())
			start := time.Now()
			w.send(begin)
			if name == "expecting" {
				require.Equal(t, 100, w.receive().code)
			}
			w.requireLastAnswer(bodyTimeout)
			require.GreaterOrEqual(t, time.Since(start), short)
			require.Less(t, time.Since(start), brief)
			r.requireAnswers("408 body_timeout")
		})
	}
}

// net/http reads the rest of a refused request before it sends the answer. A sender that does not send the rest must not delay
// the answer, nor hold the connection.
func TestTheWaitForTheRestOfARefusedBodyIsShort(t *testing.T) {
	t.Parallel()
	const chunked = "Transfer-Encoding: chunked"
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 5000, strings.Repeat(" ", 5000))
	for name, tt := range map[string]struct {
		begin string
		want  outcome
	}{
		"media type":                       {head("Content-Type: text/plain", "Content-Length: 100"), unsupportedType},
		"over the limit":                   {head("Content-Length: 600"), inFlightLimit},
		"over the limit, while reading":    {head(chunked) + chunk, inFlightLimit},
		"too large, noticed while reading": {head(chunked) + "1\r\n \r\n" + chunk + chunk, bodyTooLarge},
		"path":                             {"POST /nowhere HTTP/1.1\r\nHost: rtbeat\r\nContent-Length: 100\r\n\r\n", notFound},
		"method":                           {"PUT /in HTTP/1.1\r\nHost: rtbeat\r\nContent-Length: 100\r\n\r\n", methodNotAllowed},
		"health":                           {"GET /livez HTTP/1.1\r\nHost: rtbeat\r\nContent-Length: 100\r\n\r\n", alive},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, quick, func(l *limits) { l.MaxBody = 10_000 })
			if tt.want == inFlightLimit {
				other, err := r.admission.Open(1)
				require.NoError(t, err)
				require.NoError(t, other.Grow(9500))
				defer other.Release()
			}
			w := dial(t, r.serve())
			start := time.Now()
			w.send(tt.begin)
			w.requireLastAnswer(tt.want)
			require.Less(t, time.Since(start), brief)
		})
	}
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{
		"nothing at all":   "",
		"half the headers": "POST /in HTTP/1.1\r\nHost: rt",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, quick)
			w := dial(t, r.serve())
			start := time.Now()
			w.send(begin)
			w.requireClosed()
			require.Less(t, time.Since(start), brief)
			r.requireAnswers()
		})
	}
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(l *limits) { l.ReadTimeout, l.IdleTimeout = patience, short })
	w := dial(t, r.serve())
	w.requireReusable(r)
	start := time.Now()
	w.requireClosed()
	require.Less(t, time.Since(start), brief)
}

func TestAnIdleConnectionStaysOpenLongerThanARequestMayTake(t *testing.T) {
	t.Parallel()
	r := newRig(t, quick)
	w := dial(t, r.serve())
	w.requireReusable(r)
	<-time.After(2 * short)
	w.requireReusable(r)
}

func TestABodyThatIsCutOffIsA400AndTheEndOfTheConnection(t *testing.T) {
	for name, begin := range map[string]string{
		"announced":       head("Content-Length: 100") + `{"messages":[]}`,
		"chunked":         head("Transfer-Encoding: chunked") + "f\r\n" + `{"messages":[]}`,
		"no last chunk":   head("Transfer-Encoding: chunked") + "f\r\n" + `{"messages":[]}` + "\r\n",
		"no end of it":    head("Transfer-Encoding: chunked") + "f\r\n" + `{"messages":[]}` + "\r\n0\r\n",
		"malformed chunk": head("Transfer-Encoding: chunked") + marker + "\r\n",
		"malformed trailer": head("Transfer-Encoding: chunked", "Trailer: X") +
			"f\r\n" + `{"messages":[]}` + "\r\n0\r\n" + marker + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, quick)
			w := dial(t, r.serve())
			w.send(begin)
			require.NoError(t, w.conn.CloseWrite())
			w.requireLastAnswer(bodyTruncated)
			r.requireUntouched()
			require.NotContains(t, r.log.text(), marker)
		})
	}
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	t.Run("a refused body is not sent", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, quick)
		addr := r.serve()
		for headers, want := range map[string]outcome{
			"Content-Length: 1001":                            bodyTooLarge,
			"Content-Length: 100\r\nContent-Type: text/plain": unsupportedType,
			"Content-Length: 100\r\nContent-Encoding: br":     unsupportedEncoding,
		} {
			w := dial(t, addr)
			w.send(head(headers, "Expect: 100-continue"))
			w.requireLastAnswer(want)
		}
		require.Zero(t, number(r.metrics.bytes))
	})
	t.Run("a welcome body is asked for", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, quick)
		w := dial(t, r.serve())
		body := messages(1)
		w.send(head(fmt.Sprintf("Content-Length: %d", len(body)), "Expect: 100-continue"))
		require.Equal(t, 100, w.receive().code)
		w.send(body)
		r.take().deliver()
		w.requireAnswer(delivered)
		w.requireReusable(r)
	})
}

func TestABodyOverTheLimitEndsTheConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t, quick)
	addr := r.serve()
	w := dial(t, addr)
	w.send(postOf(batchOf(1001)))
	w.requireLastAnswer(bodyTooLarge)

	w = dial(t, addr)
	w.send(head("Transfer-Encoding: chunked") + "3e9\r\n" + batchOf(1001) + "\r\n0\r\n\r\n")
	w.requireLastAnswer(bodyTooLarge)
	r.requireUntouched()
}

// Closing a connection with unread bytes resets it, and the answer may be lost.
func TestASenderOfABodyThatIsNotReadGetsItsAnswer(t *testing.T) {
	for want, refuse := range map[outcome]func(*rig){
		bodyTooLarge: func(*rig) {},
		stopping:     func(r *rig) { r.server.Leave(); r.server.abort(errStopping) },
	} {
		t.Run(outcomes[want].reason, func(t *testing.T) {
			r := newRig(t)
			refuse(r)
			url := "http://" + r.serve() + "/in"
			for range 100 {
				got := ask(t, client(t), http.MethodPost, url, batchOf(250_000))
				requireAnswer(t, want, got.code, got.header, got.body)
			}
		})
	}
}

func TestHeadersOverTheLimitAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, quick)
	w := dial(t, r.serve())
	w.send("POST /in HTTP/1.1\r\nX: " + strings.Repeat("x", 8<<10+8192))
	require.Equal(t, 431, w.receive().code)
	w.requireClosed()
}

func TestASenderThatHangsUpIsNoticed(t *testing.T) {
	r := newRig(t, quick)
	w := dial(t, r.serve())
	w.send(postOf(messages(2)))
	job := r.take()
	job.handOver(1)
	w.conn.Close()
	require.Eventually(t, func() bool { return r.metrics.answered()["499 client_gone"] == 1 }, brief, time.Millisecond)
	job.requireNoMore(t)
	job.ack(1)
}
