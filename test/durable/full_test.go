//go:build !race

package durable

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/beats/v7/libbeat/publisher/queue"
	"github.com/elastic/beats/v7/libbeat/publisher/queue/diskqueue"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/mapstr"
)

// The smallest queue that rtbeat allows has room for five segments (beater/queue.go). It must never stay full once
// everything in it has been delivered, whatever the sizes of the events, and not after a restart either.
func TestAFullQueueTakesAgainWhenAllIsDelivered(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		path := t.TempDir()
		for range 6 {
			require.True(t, fillAndEmpty(t, path, 5, func() int { return 1 + r.IntN(small-200) }), "full for ever")
		}
	}
}

// Two, which libbeat allows, are not enough.
func TestAQueueOfTwoSegmentsMayStayFull(t *testing.T) {
	sizes := []int{small - 200, small - 120}
	next := func() int {
		size := sizes[0]
		sizes = append(sizes[1:], size)
		return size
	}
	path := t.TempDir()
	takes := true
	for range 3 {
		takes = takes && fillAndEmpty(t, path, 2, next)
	}
	require.False(t, takes, "libbeat has mended it")
}

func never([]mapstr.M) bool { return false }

// fillAndEmpty opens a queue of so many segments, fills it, has everything delivered, and tells whether it takes an
// event of the largest size then.
func fillAndEmpty(t *testing.T, path string, segments uint64, size func() int) bool {
	t.Helper()
	settings := diskqueue.DefaultSettings()
	settings.Path, settings.MaxSegmentSize, settings.MaxBufferSize = path, small, segments*small
	q, err := diskqueue.NewQueue(logp.NewNopLogger(), nil, settings, nil)
	require.NoError(t, err)
	d := &disk{t: t, path: path, queue: q, acked: make(chan int, 1000)}
	d.producer = q.Producer(queue.ProducerConfig{ACK: func(n int) { d.acked <- n }})
	defer d.close()
	try := func(size int) bool {
		_, taken := d.producer.TryPublish(publisher.Event{Content: beat.Event{Fields: mapstr.M{"a": strings.Repeat("x", size)}}})
		if taken {
			<-d.acked
		}
		return taken
	}
	d.readUntil(never, 1000, true, 100*time.Millisecond) // what the run before has left
	written := 0
	for try(size()) {
		written++
	}
	require.GreaterOrEqual(t, len(d.readUntil(never, 1000, true, 100*time.Millisecond)), written)
	for range 10 { // deleting takes its time
		if try(small - 110) {
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}
