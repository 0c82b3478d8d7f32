package intake

import (
	"context"
	"math"
	"time"

	"github.com/txn2/rtbeat/internal/inflight"
)

// smallBody is how many bytes a body may have that is decoded at once.
const smallBody = 16 << 10

// backlogSizes are the backlogs of larger ones: bodies of up to so many bytes wait for each other only, while so many bytes of
// them, for each core, are decoded and not handed over. That is a few batches, so that no worker waits for the next one.
// A body waits behind none that is more than four times as large.
var backlogSizes = [...]struct{ body, limit int }{
	{64 << 10, 1 << 20},
	{256 << 10, 1 << 20},
	{1 << 20, 1 << 20},
	{math.MaxInt, 2 << 20},
}

// backlogs are where bodies wait that could only be decoded to wait as messages, which take much more memory.
type backlogs [len(backlogSizes)]*inflight.Backlog

func newBacklogs(registry *inflight.Registry, cores int) (b backlogs) {
	for i, size := range backlogSizes {
		b[i] = registry.NewBacklog(int64(cores) * int64(size.limit))
	}
	return b
}

// enter waits until a body of so many bytes may be decoded, but no longer than until deadline or the end of ctx. The caller
// must leave the place, which is nil for a small body.
func (b *backlogs) enter(ctx context.Context, deadline time.Time, body int) *inflight.Place {
	if body <= smallBody {
		return nil
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	i := 0
	for body > backlogSizes[i].body {
		i++
	}
	return b[i].Enter(ctx, int64(body))
}
