package inflight_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

func TestARetryWaitsForTheSameAck(t *testing.T) {
	r := newRig(t)
	first, events := r.publish("a", "b", "c")
	_, delivered := first.Withdraw() // 504
	require.False(t, delivered)

	// Regrouped, and with newer messages behind.
	retry, more := r.publish("b", "c", "d")
	require.Len(t, more, 1, "only d is new")
	head, none := r.publish("a")
	require.Empty(t, none)
	require.Equal(t, inflight.Progress{Messages: 3, DedupedInFlight: 2}, retry.Progress())

	require.Equal(t, 3, r.ack(events...))
	requireDelivered(t, head)
	requireWaiting(t, retry)
	require.Equal(t, 2, retry.Progress().Acked)
	r.ack(more...)
	requireDelivered(t, retry)
	require.Equal(t, 2, retry.Progress().Deduped())
	r.requireEmpty()
}

func TestARetryOfWhatWasDeliveredIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		events := handOver(r.claim("a", "b"), 2)
		r.ack(events...)
		time.Sleep(10 * time.Minute)

		retry, none := r.publish("b", "a")
		require.Empty(t, none)
		requireDelivered(t, retry)
		require.Equal(t, inflight.Progress{Messages: 2, Acked: 2, DedupedDelivered: 2}, retry.Progress())
		r.requireEmpty()

		time.Sleep(time.Nanosecond)
		late, events := r.publish("b", "a")
		require.Len(t, events, 2, "the window is over")
		r.ack(events...)
		requireDelivered(t, late)
	})
}

// A processor may look at more than the message. What it dropped for one sender is not known as delivered to
// another.
func TestWhatWasFilteredIsPublishedAgain(t *testing.T) {
	r := newRig(t)
	one := r.claim("a", "b")
	events := handOver(one, 2)
	filter(events[0])
	r.ack(events...)
	requireDelivered(t, one)
	require.Equal(t, 1, r.registry.DedupeEntries(), "b")

	other, again := r.publish("a", "b")
	require.Len(t, again, 1, "a is published, and b is not")
	requireWaiting(t, other)
	r.ack(again...)
	requireDelivered(t, other)
	require.Equal(t, inflight.Progress{Messages: 2, Acked: 2, DedupedDelivered: 1}, other.Progress())
	r.requireEmpty()
}

// A batch that joined an event has no part in its being filtered: the processors saw another request. It is told to come
// again, and its next attempt runs them.
func TestABatchThatJoinedAFilteredEventIsNotDelivered(t *testing.T) {
	r := newRig(t)
	one := r.claim("a")
	joined := r.claim("b", "a", "c")
	events := handOver(one, 1)
	own := handOver(joined, 3)
	require.Len(t, own, 2)
	filter(events[0])
	requireDelivered(t, one)
	require.ErrorIs(t, wait(t, joined, time.Millisecond), inflight.ErrJoinedFiltered)
	require.Equal(t, inflight.Progress{Messages: 3, DedupedInFlight: 1}, joined.Progress())
	_, delivered := joined.Withdraw()
	require.False(t, delivered)
	r.ack(own...)
	r.requireEmpty()

	retry, again := r.publish("b", "a", "c")
	require.Len(t, again, 1)
	r.ack(again...)
	requireDelivered(t, retry)
	require.Equal(t, inflight.Progress{Messages: 3, Acked: 3, DedupedDelivered: 2}, retry.Progress())
	r.requireEmpty()
}

// The batch that brought the event may be answered by then. That changes nothing for the batches that joined it.
func TestAFilteredEventWhoseOwnBatchIsAnswered(t *testing.T) {
	r := newRig(t)
	one := r.claim("a")
	joined := r.claim("a")
	events := handOver(one, 1)
	one.Withdraw() // 504
	filter(events[0])
	require.ErrorIs(t, wait(t, joined, time.Millisecond), inflight.ErrJoinedFiltered)
	joined.Withdraw()
	r.requireEmpty()
}

// A processor that fails ends all batches that wait, and the message is published by the next attempt.
func TestAFailedProcessorEndsAllThatWait(t *testing.T) {
	r := newRig(t)
	one := r.claim("a", "b")
	joined := r.claim("a")
	events := handOver(one, 1)
	failure := &inflight.ProcessorError{Processor: "fingerprint"}
	drop(events[0], failure)
	for _, token := range []*inflight.BatchAck{one, joined} {
		require.ErrorIs(t, wait(t, token, time.Millisecond), failure)
		token.Withdraw()
	}
	require.Zero(t, r.registry.DedupeEntries())
	r.requireEmpty()
	_, again := r.publish("a", "b")
	require.Len(t, again, 2)
	r.ack(again...)
	r.requireEmpty()
}

func TestTheSameMessageTwiceIsOneEvent(t *testing.T) {
	r := newRig(t)
	first, events := r.publish("a", "b", "a", "a")
	require.Len(t, events, 2)
	other, none := r.publish("a", "a")
	require.Empty(t, none)
	r.ack(events[0])
	requireDelivered(t, other)
	require.Equal(t, 3, first.Progress().Acked)
	r.ack(events[1])
	requireDelivered(t, first)
	require.Equal(t, inflight.Progress{Messages: 4, Acked: 4, DedupedInFlight: 2}, first.Progress())
	r.requireEmpty()
}

func TestWithoutUUIDNothingIsJoined(t *testing.T) {
	r := newRig(t)
	token, events := r.publish("-a", "-a")
	require.Len(t, events, 2)
	r.ack(events...)
	requireDelivered(t, token)
	_, again := r.publish("-a")
	require.Len(t, again, 1)
	require.Zero(t, r.registry.DedupeEntries())
}

func TestJoinOffPublishesEverything(t *testing.T) {
	r := newRig(t, func(s *inflight.Settings) { s.Dedupe.Enabled = false })
	_, first := r.publish("a", "a")
	require.Len(t, first, 2)
	retry, second := r.publish("a")
	require.Len(t, second, 1)
	r.ack(append(first, second...)...)
	requireDelivered(t, retry)
	_, third := r.publish("a")
	require.Len(t, third, 1)
	require.Zero(t, r.registry.DedupeEntries())
}

func TestTheSameUUIDWithOtherContentIsAnotherMessage(t *testing.T) {
	r := newRig(t)
	_, events := r.publish("a")
	require.Len(t, events, 1)
	reservation := open(t, r.admission, 1)
	other := message("a")
	other.Raw[size/2-1] = '!'
	token, err := r.registry.Claim([]batch.Message{other}, inflight.Origin{}, reservation)
	require.NoError(t, err)
	require.Len(t, handOver(token, 1), 1)
}

func TestAWithdrawnMessageCanBePublishedAgain(t *testing.T) {
	r := newRig(t)
	first := r.claim("a", "b")
	events := handOver(first, 1)
	withdrawn, _ := first.Withdraw()
	require.Equal(t, 1, withdrawn)

	retry, more := r.publish("a", "b")
	require.Len(t, more, 1, "b was taken back, a was not")
	r.ack(append(events, more...)...)
	requireDelivered(t, retry)
	r.requireEmpty()
}

func TestADroppedMessageFailsAllWhoWaitAndCanBePublishedAgain(t *testing.T) {
	r := newRig(t)
	first, events := r.publish("a")
	joined := r.claim("a", "b")
	drop(events[0], inflight.ErrUnpublishable)
	for _, token := range []*inflight.BatchAck{first, joined} {
		require.ErrorIs(t, wait(t, token, time.Second), inflight.ErrUnpublishable)
		token.Withdraw()
	}
	r.requireEmpty()
	require.Zero(t, r.registry.DedupeEntries())

	retry, events := r.publish("a")
	require.Len(t, events, 1)
	r.ack(events...)
	requireDelivered(t, retry)
}

// The batch that brought a message gives up while it is in line, and another waits for it: it stays in line.
func TestAMessageStaysInLineAsLongAsSomebodyWaitsForIt(t *testing.T) {
	r := newRig(t)
	first := r.claim("a", "b", "c")
	first.Publish()
	second := r.claim("b", "d")
	second.Publish()
	third := r.claim("b")
	third.Publish()
	require.Equal(t, 2, r.registry.QueueLength(), "the third has nothing to publish")

	withdrawn, _ := first.Withdraw()
	require.Equal(t, 2, withdrawn, "a and c")
	require.EqualValues(t, size+size+64+64, r.admission.Used(), "b and d, and the two waits for b")
	third.Withdraw()
	require.Equal(t, 2, r.registry.QueueLength())

	require.Same(t, first, r.registry.Take())
	events := handOver(first, 3)
	require.Len(t, events, 1, "b alone")
	require.Same(t, second, r.registry.Take())
	r.ack(append(events, handOver(second, 2)...)...)
	requireDelivered(t, second)
	r.requireEmpty()
}

func TestTheLastWaiterTakesAMessageBackThatAnotherBatchBrought(t *testing.T) {
	r := newRig(t)
	first := r.claim("a")
	first.Publish()
	second := r.claim("a")
	first.Withdraw()
	require.Equal(t, 1, r.registry.QueueLength())
	withdrawn, _ := second.Withdraw()
	require.Equal(t, 1, withdrawn)
	require.Zero(t, r.registry.DedupeEntries())
	r.requireEmpty()
}

func TestMemoryIsBounded(t *testing.T) {
	r := newRig(t, func(s *inflight.Settings) { s.Dedupe.MaxEntries = 3 })
	_, events := r.publish("a", "b", "c", "d")
	require.Zero(t, r.registry.DedupeEntries(), "what is in flight is always known, and bounded by its bytes")
	r.ack(events...)
	require.Equal(t, 3, r.registry.DedupeEntries())
	_, again := r.publish("a", "e", "f", "g")
	require.Len(t, again, 4, "the oldest is forgotten first")
	retry, none := r.publish("d", "c")
	require.Empty(t, none, "what is in flight takes no place")
	requireDelivered(t, retry)
	r.ack(again...)
	require.Equal(t, 3, r.registry.DedupeEntries())
	r.requireEmpty()
}

func TestEntriesAreThoseWithinTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, events := r.publish("a")
		r.ack(events...)
		time.Sleep(10*time.Minute + time.Nanosecond)
		require.Zero(t, r.registry.DedupeEntries())
	})
}

// Had a batch not been put in line, because its handler panicked, those who joined it would wait in vain, and keep each
// other waiting.
func TestWhatOthersWaitForIsPublishedAllTheSame(t *testing.T) {
	r := newRig(t)
	first := r.claim("a", "b")
	second := r.claim("b")
	first.Withdraw()
	require.Same(t, first, r.registry.Take())
	r.ack(handOver(first, 2)...)
	requireDelivered(t, second)
	first.Publish()
	r.requireEmpty()
}

func TestWindowZeroJoinsWhatIsInFlightOnly(t *testing.T) {
	r := newRig(t, func(s *inflight.Settings) { s.Dedupe.Window = 0 })
	_, events := r.publish("a")
	joined, none := r.publish("a")
	require.Empty(t, none)
	r.ack(events...)
	requireDelivered(t, joined)
	require.Zero(t, r.registry.DedupeEntries())
	_, again := r.publish("a")
	require.Len(t, again, 1)
}

func TestNothingIsKeptOfAMessageThatIsJoined(t *testing.T) {
	r := newRig(t)
	r.publish("a", "b")
	r.claim("a", "b")
	require.EqualValues(t, 2*size+2*64, r.admission.Used())
	m, _, _ := r.claim("c").Next()
	require.Nil(t, m.Raw, "of a message that is published its content is kept, and not the body")
}

// A message has its key with dedupe and without, if its id is made of its content. Without dedupe the message joins nothing.
func TestAMessageHasItsKey(t *testing.T) {
	want, _ := message("a").Key()
	for name, tt := range map[string]struct{ join, keys, has bool }{
		"dedupe":          {true, false, true},
		"dedupe, and ids": {true, true, true},
		"ids":             {false, true, true},
		"neither":         {false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(s *inflight.Settings) {
				s.Dedupe.Enabled = tt.join
				if tt.keys {
					s.DocumentID = inflight.ContentID
				}
			})
			token, events := r.publish("a", "a", "-")
			require.Len(t, events, map[bool]int{true: 2, false: 3}[tt.join])
			key, ok := events[0].(*inflight.EventAck).Key()
			require.Equal(t, tt.has, ok)
			if tt.has {
				require.Equal(t, want, key)
			}
			_, ok = events[len(events)-1].(*inflight.EventAck).Key()
			require.False(t, ok, "no uuid")
			r.ack(events...)
			requireDelivered(t, token)
			token.Withdraw()
			require.Equal(t, map[bool]int{true: 1, false: 0}[tt.join], r.registry.DedupeEntries())
			again, events := r.publish("a")
			require.Equal(t, tt.join, len(events) == 0)
			r.ack(events...)
			again.Withdraw()
			r.requireEmpty()
		})
	}
}
