package inflight_test

import (
	"context"
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/dedupe"
	"github.com/txn2/rtbeat/internal/inflight"
)

func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "500") // a second; the command line may set another number
	goleak.VerifyTestMain(m)
}

var errTimeout = errors.New("timeout")

// settings dedupe messages, and let the output stall.
func settings() inflight.Settings {
	return inflight.Settings{Dedupe: dedupe.Settings{Enabled: true, Window: 10 * time.Minute, MaxEntries: 1000}, StallAfter: 30 * time.Second}
}

// rig is a registry with an admission of 100,000 bytes.
type rig struct {
	t         *testing.T
	admission *inflight.Admission
	registry  *inflight.Registry
}

func newRig(t *testing.T, changes ...func(*inflight.Settings)) *rig {
	t.Helper()
	s := settings()
	for _, change := range changes {
		change(&s)
	}
	return &rig{t: t, admission: inflight.NewAdmission(100_000), registry: inflight.NewRegistry(s)}
}

// size is the weight of each message, twice its length.
const size = 100

// message makes a message that weighs 100 bytes. Its name is its id and its key. With a name that starts with "-", it has neither.
// With "=", it has no id, but the key of a stored message.
func message(name string) batch.Message {
	m := batch.Message{Fields: map[string]any{"name": name}, Raw: []byte(name + strings.Repeat(" ", size/2-len(name))), Weight: size}
	switch name[0] {
	case '-':
	case '=':
		copy(m.Key[:], name)
	default:
		m.ID = name
		copy(m.Key[:], name)
	}
	return m
}

// claim claims a batch of these messages.
func (r *rig) claim(names ...string) *inflight.BatchAck {
	r.t.Helper()
	token, err := r.tryClaim(names...)
	require.NoError(r.t, err)
	return token
}

func (r *rig) tryClaim(names ...string) (*inflight.BatchAck, error) {
	r.t.Helper()
	messages := make([]batch.Message, len(names))
	for i, name := range names {
		messages[i] = message(name)
	}
	reservation, err := r.admission.Open(int64(size * len(names)))
	require.NoError(r.t, err)
	require.NoError(r.t, reservation.Grow(int64(size*len(names))))
	token, err := r.registry.Claim(messages, inflight.Origin{}, reservation)
	if err != nil {
		reservation.Release()
	}
	return token, err
}

// publish claims a batch and lets its own messages enter the pipeline.
func (r *rig) publish(names ...string) (*inflight.BatchAck, []any) {
	r.t.Helper()
	token := r.claim(names...)
	events := handOver(token, len(names))
	for _, event := range events {
		event.(*inflight.EventAck).ReachOutput()
	}
	return token, events
}

// handOver takes up to n messages, as a worker does, and returns the values that libbeat reports with their acknowledgements.
func handOver(token *inflight.BatchAck, n int) (events []any) {
	for range n {
		if _, e, ok := token.Next(); ok {
			events = append(events, e)
		}
	}
	return events
}

func (r *rig) ack(events ...any) int {
	counted, _ := r.registry.Ack(events)
	return counted
}

func drop(event any, cause error) {
	event.(*inflight.EventAck).Drop(cause)
}

func filter(event any) {
	event.(*inflight.EventAck).Filter()
}

// requireEmpty is the invariant at the end of every test: nothing is held but the dedupe entries.
func (r *rig) requireEmpty() {
	r.t.Helper()
	require.Zero(r.t, r.registry.Events(), "events in flight") // first: it waits for an Ack that has resolved a token and not released its bytes
	require.Zero(r.t, r.admission.Used(), "bytes in flight")
	require.Zero(r.t, r.registry.QueueLength(), "batches in the queue")
	require.NoError(r.t, r.waitEmpty(time.Millisecond), "registry empty")
}

func (r *rig) waitEmpty(timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(r.t.Context(), timeout, errTimeout)
	defer cancel()
	return r.registry.WaitEmpty(ctx)
}

func wait(t *testing.T, token *inflight.BatchAck, timeout time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), timeout, errTimeout)
	defer cancel()
	return token.Wait(ctx)
}

// requireDelivered checks that the batch is delivered now.
func requireDelivered(t *testing.T, token *inflight.BatchAck) {
	t.Helper()
	require.NoError(t, wait(t, token, time.Millisecond))
}

// requireWaiting checks that the batch still waits.
func requireWaiting(t *testing.T, token *inflight.BatchAck) {
	t.Helper()
	require.ErrorIs(t, wait(t, token, time.Millisecond), errTimeout)
}

// endedContext has ended.
var endedContext = func() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errTimeout)
	return ctx
}()
