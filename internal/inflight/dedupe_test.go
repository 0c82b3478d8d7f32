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

	// In other batches, with a newer message.
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

func TestARetryOfADeliveredBatchIsDelivered(t *testing.T) {
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

// A processor may look at more than the message: a message that was filtered for one sender is not deduped for another.
func TestAFilteredMessageIsPublishedAgain(t *testing.T) {
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

// A deduped message is filtered for another request. The batch fails, and its retry runs the processors.
func TestABatchWithADedupedFilteredMessageIsNotDelivered(t *testing.T) {
	r := newRig(t)
	one := r.claim("a")
	deduped := r.claim("b", "a", "c")
	events := handOver(one, 1)
	own := handOver(deduped, 3)
	require.Len(t, own, 2)
	filter(events[0])
	requireDelivered(t, one)
	require.ErrorIs(t, wait(t, deduped, time.Millisecond), inflight.ErrJoinedFiltered)
	require.Equal(t, inflight.Progress{Messages: 3, DedupedInFlight: 1}, deduped.Progress())
	_, delivered := deduped.Withdraw()
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

// The batch that published the event may be answered already. The deduped batch fails all the same.
func TestAFilteredEventWhoseOwnBatchIsAnswered(t *testing.T) {
	r := newRig(t)
	one := r.claim("a")
	deduped := r.claim("a")
	events := handOver(one, 1)
	one.Withdraw() // 504
	filter(events[0])
	require.ErrorIs(t, wait(t, deduped, time.Millisecond), inflight.ErrJoinedFiltered)
	deduped.Withdraw()
	r.requireEmpty()
}

// A failure of a processor ends all batches that wait for the event. A retry publishes the message.
func TestAFailedProcessorEndsAllBatchesThatWait(t *testing.T) {
	r := newRig(t)
	one := r.claim("a", "b")
	deduped := r.claim("a")
	events := handOver(one, 1)
	failure := &inflight.ProcessorError{Processor: "fingerprint"}
	drop(events[0], failure)
	for _, token := range []*inflight.BatchAck{one, deduped} {
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

func TestAMessageWithoutUUIDIsNotDeduped(t *testing.T) {
	r := newRig(t)
	token, events := r.publish("-a", "-a")
	require.Len(t, events, 2)
	r.ack(events...)
	requireDelivered(t, token)
	_, again := r.publish("-a")
	require.Len(t, again, 1)
	require.Zero(t, r.registry.DedupeEntries())
}

func TestWithoutDedupeEveryMessageIsPublished(t *testing.T) {
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

func TestTheSameIDWithOtherContentIsAnotherMessage(t *testing.T) {
	r := newRig(t)
	_, events := r.publish("a")
	require.Len(t, events, 1)
	reservation := open(t, r.admission, 1)
	other := message("a")
	other.Key = batch.Key{1}
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
	require.Len(t, more, 1, "b was withdrawn, a was not")
	r.ack(append(events, more...)...)
	requireDelivered(t, retry)
	r.requireEmpty()
}

func TestADroppedMessageFailsAllBatchesThatWaitAndCanBePublishedAgain(t *testing.T) {
	r := newRig(t)
	first, events := r.publish("a")
	deduped := r.claim("a", "b")
	drop(events[0], inflight.ErrUnpublishable)
	for _, token := range []*inflight.BatchAck{first, deduped} {
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

// The batch that brought a message is withdrawn, and another batch waits for the message: it stays in the queue.
func TestAMessageStaysInTheQueueWhileABatchWaitsForIt(t *testing.T) {
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

func TestTheLastBatchThatWaitsWithdrawsTheMessage(t *testing.T) {
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
	require.Zero(t, r.registry.DedupeEntries(), "messages in flight are deduped without an entry")
	r.ack(events...)
	require.Equal(t, 3, r.registry.DedupeEntries())
	_, again := r.publish("a", "e", "f", "g")
	require.Len(t, again, 4, "the oldest is forgotten first")
	retry, none := r.publish("d", "c")
	require.Empty(t, none, "messages in flight take no entry")
	requireDelivered(t, retry)
	r.ack(again...)
	require.Equal(t, 3, r.registry.DedupeEntries())
	r.requireEmpty()
}

func TestEntriesOlderThanTheWindowDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, events := r.publish("a")
		r.ack(events...)
		time.Sleep(10*time.Minute + time.Nanosecond)
		require.Zero(t, r.registry.DedupeEntries())
	})
}

// A handler may panic before Publish. Withdraw then publishes the messages that other batches wait for.
func TestWithdrawPublishesMessagesThatOthersWaitFor(t *testing.T) {
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

func TestWindowZeroDedupesMessagesInFlightOnly(t *testing.T) {
	r := newRig(t, func(s *inflight.Settings) { s.Dedupe.Window = 0 })
	_, events := r.publish("a")
	deduped, none := r.publish("a")
	require.Empty(t, none)
	r.ack(events...)
	requireDelivered(t, deduped)
	require.Zero(t, r.registry.DedupeEntries())
	_, again := r.publish("a")
	require.Len(t, again, 1)
}

func TestADedupedMessageIsCharged64Bytes(t *testing.T) {
	r := newRig(t)
	r.publish("a", "b")
	r.claim("a", "b")
	require.EqualValues(t, 2*size+2*64, r.admission.Used())
	m, _, _ := r.claim("c").Next()
	require.Nil(t, m.Raw, "the fields are kept, and the body is not")
}

// A message has its key with dedupe and without, if its id is made of its content. Without dedupe each attempt is published.
func TestAMessageHasItsKey(t *testing.T) {
	want := message("a").Key
	for name, tt := range map[string]struct{ dedupe, keys, has bool }{
		"dedupe":          {true, false, true},
		"dedupe, and ids": {true, true, true},
		"ids":             {false, true, true},
		"neither":         {false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(s *inflight.Settings) {
				s.Dedupe.Enabled = tt.dedupe
				if tt.keys {
					s.DocumentID = inflight.ContentID
				}
			})
			token, events := r.publish("a", "a", "-")
			require.Len(t, events, map[bool]int{true: 2, false: 3}[tt.dedupe])
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
			require.Equal(t, map[bool]int{true: 1, false: 0}[tt.dedupe], r.registry.DedupeEntries())
			again, events := r.publish("a")
			require.Equal(t, tt.dedupe, len(events) == 0)
			r.ack(events...)
			again.Withdraw()
			r.requireEmpty()
		})
	}
}
