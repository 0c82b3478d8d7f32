package durable

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/monitoring"
)

func newQueue(t *testing.T, yaml string) *Queue {
	t.Helper()
	settings, err := conf.NewConfigWithYAML([]byte(yaml), "test")
	require.NoError(t, err)
	q, err := NewQueue("queue.disk", settings)
	require.NoError(t, err)
	return q
}

func TestTheQueueIsWhereLibbeatPutsIt(t *testing.T) {
	require.Equal(t, defaultQueueDir(), newQueue(t, "max_size: 10GB").dir())
	require.Equal(t, "/var/queue", newQueue(t, "{max_size: 10GB, path: /var/queue}").dir())
}

func TestTheLargestEventFitsIntoASegment(t *testing.T) {
	require.Equal(t, uint64(1e9-12), newQueue(t, "max_size: 10GB").largest())
	require.Equal(t, uint64(1e8-12), newQueue(t, "{max_size: 600MB, segment_size: 100MB}").largest())
}

func TestMaxSizeMayNotBeLoweredBelowWhatIsQueued(t *testing.T) {
	q := newQueue(t, "max_size: 10MB")
	require.NoError(t, q.judgeLargest(2_000_000))
	require.ErrorContains(t, q.judgeLargest(2_000_001), "Set queue.disk.max_size to 10MiB or more until what is queued has been delivered")
}

// libbeat takes a memory queue where it cannot make a disk queue, and says so in its log only.
func TestTheQueueInForce(t *testing.T) {
	q := newQueue(t, "max_size: 10GB")
	require.ErrorContains(t, q.CheckInForce(&beat.Beat{}), "does not tell")
	b := &beat.Beat{Monitoring: beat.NewMonitoring()}
	require.ErrorContains(t, q.CheckInForce(b), "could not make the queue")
	name := monitoring.NewString(b.Monitoring.StateRegistry().GetOrCreateRegistry("queue"), "name")
	name.Set("mem")
	require.ErrorContains(t, q.CheckInForce(b), "could not make the queue")
	name.Set("disk")
	require.NoError(t, q.CheckInForce(b))
}
