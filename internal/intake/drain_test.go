package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var errBudget = errors.New("the budget is spent")

// drain starts a Drain with this budget.
func (r *rig) drain(budget time.Duration) chan error {
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeoutCause(context.Background(), budget, errBudget)
	go func() {
		defer cancel()
		ended <- r.server.Drain(ctx)
	}()
	require.Eventually(r.t, func() bool { return r.server.at(phaseDraining) }, patience, time.Millisecond)
	return ended
}

// requireRefused waits until nothing listens on addr any more.
func requireRefused(t *testing.T, addr string) {
	t.Helper()
	require.Eventually(t, func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, patience, 5*time.Millisecond)
}

func TestARequestThatWaitsDuringDrainGetsIts200(t *testing.T) {
	r := newRig(t, quick)
	addr := r.serve()
	w := dial(t, addr)
	w.send(postOf(messages(1)))
	job := r.take()
	drained := r.drain(patience)
	requireRefused(t, addr)
	require.Empty(t, drained, "a request is being served")

	job.deliver()
	require.True(t, w.requireAnswer(delivered), "Connection: close")
	w.requireClosed()
	require.NoError(t, within(t, drained))
}

func TestARequestThatStillWaitsWhenTheBudgetEndsGetsA503(t *testing.T) {
	r := newRig(t, quick)
	w := dial(t, r.serve())
	w.send(postOf(messages(2)))
	job := r.take()
	job.handOver(1)
	start := time.Now()
	drained := r.drain(short)
	w.requireLastAnswer(stopping)
	require.GreaterOrEqual(t, time.Since(start), short)
	require.ErrorIs(t, within(t, drained), errBudget)
	require.Less(t, time.Since(start), short+abortGrace+brief)

	job.requireNoMore(t)
	job.ack(1)
	r.requireAnswers("503 stopping")
}

func TestDrainWithAnEndedContextAnswersAtOnce(t *testing.T) {
	r := newRig(t, quick)
	w := dial(t, r.serve())
	w.send(postOf(messages(1)))
	r.take()
	start := time.Now()
	drained := r.drain(0)
	w.requireLastAnswer(stopping)
	require.ErrorIs(t, within(t, drained), errBudget)
	require.Less(t, time.Since(start), brief)
}

// A sender whose body is on its way gets an answer as well: it may wait for one until its own timeout.
func TestAnIncompleteBodyDoesNotDelayDrain(t *testing.T) {
	r := newRig(t, quick, func(l *limits) { l.ReadTimeout = patience })
	w := dial(t, r.serve())
	w.send(head("Content-Length: 100") + `{"mess`)
	require.Eventually(t, func() bool { return number(r.metrics.requests) == 1 }, patience, time.Millisecond)
	start := time.Now()
	drained := r.drain(short)
	w.requireLastAnswer(stopping)
	require.ErrorIs(t, within(t, drained), errBudget)
	require.GreaterOrEqual(t, time.Since(start), short)
	require.Less(t, time.Since(start), short+2*abortGrace+brief)
	r.requireUntouched()
	r.requireAnswers("503 stopping")
}

func TestARequestDuringDrainIsServed(t *testing.T) {
	r := newRig(t, quick, func(l *limits) { l.ReadTimeout = patience })
	addr := r.serve()
	waiting := dial(t, addr)
	waiting.send(postOf(messages(1)))
	job := r.take()
	batch := postOf(messages(1))
	fresh, kept, begun := dial(t, addr), dial(t, addr), dial(t, addr)
	for _, w := range []*wire{kept, begun} {
		w.requireReusable(r)
	}
	begun.send(batch[:10])
	fresh.send(batch[:10])

	drained := r.drain(patience)
	requireRefused(t, addr)
	for w, rest := range map[*wire]string{fresh: batch[10:], kept: batch, begun: batch[10:]} {
		w.send(rest)
		r.take().deliver()
		w.requireLastAnswer(delivered)
	}
	require.Empty(t, drained, "a batch that came before is still being served")
	job.deliver()
	waiting.requireLastAnswer(delivered)
	require.NoError(t, within(t, drained))
}

func TestDrainOfAnIdleServerEndsAtOnce(t *testing.T) {
	r := newRig(t, quick)
	addr := r.serve()
	dial(t, addr).requireReusable(r)
	start := time.Now()
	require.NoError(t, within(t, r.drain(patience)))
	require.Less(t, time.Since(start), brief)
	require.NoError(t, within(t, r.drain(patience)), "again")
}

func TestDrainBeforeServe(t *testing.T) {
	r := newRig(t)
	require.NoError(t, within(t, r.drain(patience)))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, r.server.Serve(listener))
	requireRefused(t, listener.Addr().String())
	require.True(t, r.server.at(phaseDraining), "a phase does not go back")
}

// Many senders send while the server stops. The output acknowledges some batches soon, some late and some never. Exactly the
// acknowledged batches get a 200.
func TestNoAnswerIsFalseWhileStopping(t *testing.T) {
	const senders = 12
	r := newRig(t, quick, func(l *limits) { l.Timeout = short })
	var (
		acked   sync.Map // by uuid
		output  sync.WaitGroup
		stopped = make(chan struct{})
		answers = make(chan int, 10_000)
		falsely = make(chan string, 10_000) // uuids answered 200 before their ack
	)
	r.work(func(job *taken) {
		fate := rand.IntN(4)
		output.Go(func() {
			job.handOverAll()
			switch fate {
			case 0:
				<-stopped // late: its sender is answered by then
			case 1:
				<-time.After(rand.N(2 * short))
			}
			if len(job.messages) == 2 {
				acked.Store(job.messages[0].ID, true)
			}
			job.ack(len(job.events))
		})
	})
	url, c := "http://"+r.serve()+"/in", client(t)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for sender := range senders {
		running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				uuid := fmt.Sprintf("%d-%d", sender, n)
				code, err := send(ctx, c, url, `{"messages":[{"uuid":"`+uuid+`"},{}]}`)
				if err != nil {
					return // the listener is closed
				}
				if code == http.StatusOK { // looked up now: after the stop it may be marked, too late
					if _, really := acked.Load(uuid); !really {
						falsely <- uuid
					}
				}
				answers <- code
			}
		})
	}
	<-time.After(2 * short)
	if err := within(t, r.drain(short/2)); err != nil { // nil if no request waits
		require.ErrorIs(t, err, errBudget)
	}
	stop()
	running.Wait()
	r.seal()
	close(stopped)
	output.Wait()

	require.Empty(t, falsely, "false 200s")
	close(answers)
	codes := make(map[int]int)
	for code := range answers {
		codes[code]++
	}
	require.Positive(t, codes[200], codes)
	require.Positive(t, codes[504], codes)
}

func send(ctx context.Context, c *http.Client, url, body string) (code int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	answer, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}
