package intake

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/listen"
)

// A request on an idle connection during Drain is served, with Connection: close.
func TestAnIdleConnectionIsAnsweredDuringDrain(t *testing.T) {
	r := newRig(t, quick, func(l *limits) { l.Connections = listen.NewBound(10) })
	addr := r.serve()
	w := dial(t, addr)
	w.send(postOf(messages(1)))
	r.take().deliver()
	w.requireAnswer(delivered)

	drained := r.drain(patience)
	requireRefused(t, addr)
	w.send(postOf(messages(1)))
	r.take().deliver()
	w.requireLastAnswer(delivered)
	require.NoError(t, within(t, drained))
}

// Drain closes idle connections while requests wait, and no connection with a request, not even one whose body is on its way.
func TestDrainClosesIdleConnectionsOnly(t *testing.T) {
	r := newRig(t, quick, func(l *limits) { l.Connections = listen.NewBound(10); l.ReadTimeout = patience })
	addr := r.serve()
	waits, body, idle := dial(t, addr), dial(t, addr), dial(t, addr)
	idle.requireReusable(r)
	waits.send(postOf(messages(1)))
	job := r.take()
	batch := postOf(messages(1))
	body.send(batch[:len(batch)-5])
	require.Eventually(t, func() bool { return number(r.metrics.requests) == 2 }, patience, time.Millisecond)

	drained := r.drain(patience)
	idle.requireClosed()
	require.Empty(t, drained)
	body.send(batch[len(batch)-5:])
	r.take().deliver()
	body.requireLastAnswer(delivered)
	require.Empty(t, drained)
	job.deliver()
	waits.requireLastAnswer(delivered)
	require.NoError(t, within(t, drained))
	r.requireAnswers("200 delivered", "200 delivered", "200 delivered")
}

// Drain waits for idle connections for closeAfter, and not at all without any.
func TestDrainClosesIdleConnectionsAfterCloseAfter(t *testing.T) {
	r := newRig(t, quick, func(l *limits) { l.Connections = listen.NewBound(10) })
	w := dial(t, r.serve())
	w.send(postOf(messages(1)))
	r.take().deliver()
	w.requireAnswer(delivered)
	start := time.Now()
	require.NoError(t, within(t, r.drain(patience)))
	require.GreaterOrEqual(t, time.Since(start), closeAfter)
	w.requireClosed()

	r = newRig(t, quick)
	r.serve()
	start = time.Now()
	require.NoError(t, within(t, r.drain(patience)))
	require.Less(t, time.Since(start), closeAfter)
}
