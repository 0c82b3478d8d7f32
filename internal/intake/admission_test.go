package intake

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
)

// batchOf is a batch of one message whose body has n bytes.
func batchOf(n int) string {
	body := `{"messages":[{"pad":""}]}`
	return strings.Replace(body, `""`, `"`+strings.Repeat("x", n-len(body))+`"`, 1)
}

// tight sets a limit of 1000 bytes in flight, for bodies of any size.
func tight(l *limits) { l.InFlight, l.MaxBody = 1000, 1<<20 }

func TestOverTheInFlightLimitABatchIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		announced bool
		unread    int
	}{
		"before reading, when it says how long it is": {announced: true, unread: 600},
		"while reading, when it does not":             {announced: false, unread: 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, tight)
				first := r.start(r.request(batchOf(500)))
				job := r.take()
				first.requireWaiting()

				body := strings.NewReader(batchOf(600))
				req := r.chunked(body)
				if tt.announced {
					req.ContentLength = 600
				}
				refused := r.do(req)
				refused.requireAnswer(inFlightLimit)
				require.Equal(t, tt.unread, body.Len(), "bytes left")
				require.EqualValues(t, 500, r.admission.Used(), "those of the first")
				r.requireUntouched()

				job.deliver()
				first.requireAnswer(delivered)
				r.deliverAll()
				r.do(r.request(batchOf(600))).requireAnswer(delivered)
				r.requireAnswers("200 delivered", "200 delivered", "503 in_flight_limit")
			})
		})
	}
}

func TestTheBytesOfARefusedBatchAreReleasedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(l *limits) { l.InFlight, l.MaxBody = 3000, 1<<20 })
		first := r.start(r.request(batchOf(1000)))
		job := r.take()

		body, sender := io.Pipe()
		second := r.start(r.chunked(body))
		write := func(n int) {
			_, err := sender.Write(make([]byte, n))
			require.NoError(t, err)
			synctest.Wait()
		}
		write(1000)
		require.EqualValues(t, 2000, r.admission.Used(), "reserved as it arrives")
		write(1000)
		require.EqualValues(t, 3000, r.admission.Used())
		second.requireWaiting()
		write(1)
		second.requireAnswer(inFlightLimit)
		require.EqualValues(t, 1000, r.admission.Used())

		job.deliver()
		first.requireAnswer(delivered)
	})
}

func TestAnAnnouncedLengthReservesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, tight)
		r.deliverAll()
		body, sender := io.Pipe()
		req := r.chunked(body)
		req.ContentLength = 1000
		slow := r.start(req)
		slow.requireWaiting()
		require.Zero(t, r.admission.Used())
		r.do(r.request(batchOf(1000))).requireAnswer(delivered)
		sender.CloseWithError(io.ErrUnexpectedEOF)
		slow.requireAnswer(bodyTruncated)
	})
}

func TestMemoryGrowsWithTheBytesThatArrive(t *testing.T) {
	for _, test := range []struct{ come, announced, factor int }{
		{0, 1 << 20, 3},
		{10, 1 << 20, 3},
		{5000, 1 << 20, 3},
		{100_000, 1 << 20, 3},
		{5000, 200_000, 8},
		{100_000, 200_000, 3},
		{200_000, 200_000, 1},
		{255 << 10, 255 << 10, 1},
		{5000, 10, 3},
	} {
		n := test.come
		r := newRig(t)
		reservation, err := inflight.NewAdmission(1 << 20).Open(0)
		require.NoError(t, err)
		requestSlot, err := r.admission.Open(0)
		require.NoError(t, err)
		req := r.request(strings.Repeat("x", n))
		req.ContentLength = int64(test.announced)
		e := &endpoint{handler: &handler{Settings: Settings{ReadTimeout: time.Second, MaxBody: 1 << 20}}, counters: r.metrics.sourceCounters}
		p := &post{endpoint: e, w: httptest.NewRecorder(), req: req, requestSlot: requestSlot, reservation: reservation}
		body, err := p.read()
		require.NoError(t, err)
		require.Len(t, body, n)
		require.LessOrEqual(t, cap(body), test.factor*n+(8<<10))
		reservation.Release()
	}
}

func TestABatchLargerThanTheLimitIsNeverTaken(t *testing.T) {
	for name, req := range map[string]func(*rig) *http.Request{
		"announced": func(r *rig) *http.Request { return r.request(batchOf(1001)) },
		"chunked":   func(r *rig) *http.Request { return r.chunked(strings.NewReader(batchOf(1001))) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, tight)
				r.do(req(r)).requireAnswer(batchTooLarge)
				r.requireUntouched()
				r.deliverAll()
				r.do(r.request(batchOf(1000))).requireAnswer(delivered)
			})
		})
	}
}

// The memory of a batch counts, not the length of its text.
func TestTinyMessagesWeighMoreThanTheirText(t *testing.T) {
	const n = 20
	body := "[" + strings.Repeat("{},", n-1) + "{}]"
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(l *limits) { l.InFlight = 10_000 })
		call := r.start(r.request(body))
		job := r.take()
		require.Greater(t, r.admission.Used(), int64(n*170), "a sixth of the memory that each of them takes")
		job.deliver()
		call.requireAnswer(delivered)

		r = newRig(t, func(l *limits) { l.InFlight = 1000 })
		r.do(r.request(body)).requireAnswer(batchTooLarge)
		r.requireUntouched()

		r = newRig(t, func(l *limits) { l.InFlight = 6000 })
		call = r.start(r.request(body))
		job = r.take()
		r.do(r.request(body)).requireAnswer(inFlightLimit)
		job.deliver()
		call.requireAnswer(delivered)
	})
}

func TestABatchThatWasAnswered504StillCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, tight)
		late := r.start(r.request(batchOf(800)))
		job := r.take()
		job.handOver(1)
		late.requireAnswer(ackTimeout)

		r.do(r.request(batchOf(300))).requireAnswer(inFlightLimit)
		job.ack(1)
		r.deliverAll()
		r.do(r.request(batchOf(300))).requireAnswer(delivered)
	})
}

// After decompression, the reservation of the compressed bytes is given back.
func TestCompressedBytesAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		body := batchOf(900)
		req := r.request(gzipped(body))
		req.Header.Set("Content-Encoding", "gzip")
		call := r.start(req)
		job := r.take()
		whole, _ := weigh(body)
		require.Equal(t, whole, r.admission.Used())
		job.deliver()
		call.requireAnswer(delivered)
	})
}

// A body that never ends is evicted for another batch.
func TestABodyThatNeverEndsIsEvicted(t *testing.T) {
	t.Parallel()
	r := newRig(t, quick, func(l *limits) { l.InFlight, l.ReadTimeout = 500, time.Minute })
	r.deliverAll()
	addr := r.serve()
	slow := dial(t, addr)
	slow.send(head("Content-Length: 450") + strings.Repeat(" ", 300))
	require.Eventually(t, func() bool { return r.admission.Used() == 300 }, patience, time.Millisecond)

	var answers []int
	require.Eventually(t, func() bool {
		got := ask(t, client(t), http.MethodPost, "http://"+addr+"/in", batchOf(300))
		answers = append(answers, got.code)
		return got.code == http.StatusOK
	}, patience, 100*time.Millisecond)
	require.Greater(t, len(answers), 1, "within a second, it is as good as any")
	got := slow.receive()
	requireAnswer(t, inFlightLimit, got.code, got.header, got.body)
	slow.requireClosed()
}

// Each request counts beside its batch, until it is answered: an HTTP/2 connection can have many.
func TestRequestsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(l *limits) { l.InFlight = 1 << 30 })
		h := &handler{requests: inflight.NewAdmission(10_000)}
		weight := requestWeight(http.Header{"A": {"b"}, "X-Long": {strings.Repeat("x", 800), ""}})
		require.EqualValues(t, 2048+3*8+100, weight)
		for range 10_000 / weight {
			slot, err := h.requests.Open(0)
			require.NoError(t, err)
			require.NoError(t, slot.Grow(weight))
		}
		h.leaving, h.Admission, h.MaxBody = func() bool { return false }, r.admission, 1000
		p := &post{endpoint: &endpoint{handler: h}, req: r.request(messages(1))}
		require.Equal(t, inFlightLimit, outcomeOf(p.admit()))
	})
}

func TestDecodingEndsWithTheRequest(t *testing.T) {
	r := newRig(t, func(l *limits) { l.InFlight = 1 << 30 })
	for cause, want := range map[error]outcome{context.Canceled: clientGone, errStopping: stopping, errNotDecoded: inFlightLimit} {
		ctx, cancel := context.WithCancelCause(t.Context())
		reservation, err := r.admission.Open(0)
		require.NoError(t, err)
		cancel(cause)
		p := &post{endpoint: r.server.endpoints[0], req: r.request("").WithContext(ctx), complete: time.Now(), reservation: reservation}
		_, _, err = p.decode([]byte(messages(5000)))
		require.Error(t, err)
		require.Equal(t, want, outcomeOf(err))
		reservation.Release()
	}
}
