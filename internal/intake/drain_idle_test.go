package intake

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/listen"
)

// A request on an idle connection during Drain gets an answer, with Connection: close.
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
	w.requireLastAnswer(stopping)
	require.NoError(t, within(t, drained))
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
