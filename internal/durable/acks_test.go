package durable

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/logp"

	"github.com/txn2/rtbeat/internal/queuedir"
)

// counted is the listener behind the checks.
type counted struct {
	beat.ClientListener
	acked, dropped int
}

func (*counted) AddEvent(beat.Event, bool)     {}
func (c *counted) ACKEvents(n int)             { c.acked += n }
func (*counted) ClientClosed()                 {}
func (*counted) Closing()                      {}
func (c *counted) DroppedOnPublish(beat.Event) { c.dropped++ }

func newDurableAcks(t *testing.T) (*acks, client, *counted) {
	t.Helper()
	path := t.TempDir()
	dir, err := queuedir.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dir.Close()) })
	dir.Watch(3)
	behind := &counted{}
	checked := &acks{EventListener: behind, mode: &Mode{dir: dir, log: logp.NewNopLogger(), failed: make(chan error, 1)}}
	return checked, client{behind, checked}, behind
}

// An event that was counted, and then refused by the queue, shifts all later acknowledgements by one: the next would
// be a false 200 for it.
func TestNoAcknowledgementPassesAfterARefusedEvent(t *testing.T) {
	checked, client, behind := newDurableAcks(t)
	checked.AddEvent(beat.Event{}, true)
	client.DroppedOnPublish(beat.Event{})
	checked.AddEvent(beat.Event{}, true)
	checked.ACKEvents(1)
	require.Zero(t, behind.acked)
	require.Equal(t, 1, behind.dropped)
	require.Len(t, checked.mode.Failures(), 1)
	require.ErrorIs(t, <-checked.mode.Failures(), errRefused)
}

// A filtered event was not counted, and one that a closed client refuses was not either.
func TestOtherDropsShiftNothing(t *testing.T) {
	checked, client, behind := newDurableAcks(t)
	checked.AddEvent(beat.Event{}, false)
	client.DroppedOnPublish(beat.Event{})
	require.False(t, checked.shifted.Load())
	require.Equal(t, 1, behind.dropped)
}

// While rtbeat stops, a refused event is no failure; its client's acknowledgements end all the same.
func TestARefusalWhileClosingIsNoFailure(t *testing.T) {
	checked, client, behind := newDurableAcks(t)
	checked.AddEvent(beat.Event{}, true)
	client.Closing()
	client.DroppedOnPublish(beat.Event{})
	checked.ACKEvents(1)
	require.Zero(t, behind.acked)
	require.Empty(t, checked.mode.Failures())
}

func TestInMemoryModeNothingFails(t *testing.T) {
	var none *Mode
	require.Nil(t, none.Failures())
}
