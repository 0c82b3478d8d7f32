package beater

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/elastic-agent-libs/logp/logptest"

	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
)

// A step that is cut short, such as by a sync that does not return, still counts the batches on the disk.
func TestACloseOfTheQueueThatIsCutShortCountsTheBatches(t *testing.T) {
	queue, err := diskqueue.Open(diskqueue.Settings{Path: t.TempDir(), MaxBytes: 1 << 30})
	require.NoError(t, err)
	_, _, err = queue.Append(t.Context(), diskqueue.Record{Body: []byte("x")}, nil, false)
	require.NoError(t, err)
	s := newShipping(queue, inflight.NewRegistry(inflight.Settings{}), 1<<20, logptest.NewTestingLogger(t, ""))
	end := make(chan struct{})
	s.stop = background(func(context.Context) { <-end }) // a batch under way
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	left, err := s.close(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, left.Batches)
	close(end)
	_, _, err = queue.Append(context.Background(), diskqueue.Record{}, nil, false)
	for err == nil { // until Close
		_, _, err = queue.Append(context.Background(), diskqueue.Record{}, nil, false)
	}
	require.ErrorIs(t, err, diskqueue.ErrClosed)
}

// A start without durable mode warns of stored batches.
func TestMemoryModeWarnsOfStoredBatches(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "queue")
	require.False(t, holdsBatches(dir), "there is no directory")
	queue, err := diskqueue.Open(diskqueue.Settings{Path: dir, MaxBytes: 1 << 30})
	require.NoError(t, err)
	_, _, err = queue.Append(t.Context(), diskqueue.Record{Body: []byte("[{}]")}, nil, false)
	require.NoError(t, err)
	require.NoError(t, queue.Close())
	require.True(t, holdsBatches(dir))

	queue, err = diskqueue.Open(diskqueue.Settings{Path: dir, MaxBytes: 1 << 30})
	require.NoError(t, err)
	ref, isThere, err := queue.Next()
	require.NoError(t, err)
	require.True(t, isThere)
	queue.Delete(ref)
	require.NoError(t, queue.Close())
	require.False(t, holdsBatches(dir), "all batches are deleted")
}
