package intake

import (
	"context"
	"runtime"
	"time"

	"github.com/txn2/rtbeat/internal/inflight"
)

const (
	// smallBody is the size in bytes of a body that is decoded at once.
	smallBody = 16 << 10
	// largeBody is the size in bytes beyond which bodies wait for each other only, so that no ordinary batch waits for them.
	largeBody = 256 << 10
	// gatePerCore is how many bytes of bodies are decoded and not handed over, for each gate and core: a few batches, so that no
	// worker waits for the next one.
	gatePerCore = 1 << 20
	// gateShare is the share of the gate that a body takes at most. Others enter beside a large one.
	gateShare = 4
)

// gates hold back bodies while the workers have enough decoded messages, which take much more memory than bodies.
type gates struct {
	ordinary, large *inflight.Gate
	largest         int64 // bytes that a body counts for at most
}

func newGates(registry *inflight.Registry) gates {
	limit := int64(runtime.GOMAXPROCS(0)) * gatePerCore
	return gates{registry.NewGate(limit), registry.NewGate(limit), limit / gateShare}
}

// enter waits until a body of this many bytes may be decoded, at most until the deadline or the end of ctx. The caller must leave
// the slot, which is nil for a small body.
func (g gates) enter(ctx context.Context, deadline time.Time, body int) *inflight.DecodeSlot {
	gate := g.ordinary
	switch {
	case body <= smallBody:
		return nil
	case body > largeBody:
		gate = g.large
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return gate.Enter(ctx, min(int64(body), g.largest))
}
